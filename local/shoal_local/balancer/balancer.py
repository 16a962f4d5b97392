"""Keeps a real listener on 127.0.0.1 for every listener of every load balancer, and real health for its
targets."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from shoal_local.balancer.checker import Checker
from shoal_local.balancer.proxy import Door, Listener
from shoal_local.balancer.routing import Rule, Table, Target
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.targets import ADDRESSES
from shoal_local.names import HOST, backend
from shoal_local.patches import contract
from shoal_local.strict import elbv2_targets
from shoal_local.strict.engine import LOCK

_LOG = logging.getLogger("shoal_local.balancer")
_TICK = 0.05
_LAST = 10**9
CREATE = contract(
    "moto.elbv2.models", "FakeLoadBalancer.__init__",
    "self name security_groups subnets vpc_id arn dns_name state scheme loadbalancer_type ip_address_type",
)  # fmt: skip


class Balancer:
    """``problems`` tells which listeners do not answer on this machine, and why.

    ``stand_ins``: ports of load balancers to the ports of this machine that answer in their place.
    """

    def __init__(self, time: SimTime, stand_ins: Mapping[int, int] | None = None) -> None:
        self.problems: dict[str, str] = {}
        self._time = time
        self._stand_ins = dict(stand_ins or {})
        self._checker = Checker(time)
        self._open: dict[str, Listener] = {}
        self._tables: dict[str, Table] = {}
        self._thread = threading.Thread(target=self._run, name="shoal-balancer", daemon=True)

    def start(self) -> None:
        original = CREATE.original

        def create(balancer: Any, *args: Any, **kwargs: Any) -> None:
            """The name in the e-mail's URL must resolve here."""
            original(balancer, *args, **{**kwargs, "dns_name": HOST})

        CREATE.replace(create)
        elbv2_targets.Checker.present = True
        self._thread.start()

    def stop(self) -> None:
        """Close every listener; targets are healthy by themselves again, as in moto."""
        self._time.ended.set()
        self._thread.join(5)
        for listener in self._open.values():
            listener.close()
        self._open.clear()
        self._checker.stop()
        elbv2_targets.Checker.present = False
        CREATE.restore()

    def _run(self) -> None:
        while not self._time.ended.wait(_TICK):
            try:
                self.step()
            except Exception:  # noqa: BLE001 - a supervisor: one broken pass must not close every listener, and it is logged
                _LOG.exception("a pass of the load balancers failed; they try again")

    def step(self) -> None:
        """One pass: health, routing tables, listeners opened and closed."""
        with LOCK:
            elb = backend("elbv2")
            groups = list(elb.target_groups.values())
            self._checker.step(groups)
            listeners = [it for balancer in elb.load_balancers.values() for it in balancer.listeners.values()]
            targets = {
                group.arn: tuple(_target(entry) for entry in group.targets.values()) for group in groups
            }
            self._tables = {listener.arn: Table(_rules(listener), targets) for listener in listeners}
            wanted = {listener.arn: (int(listener.port), listener.protocol) for listener in listeners}
        self._close_gone(wanted)
        for arn, (port, protocol) in wanted.items():
            if arn not in self._open and arn not in self.problems:
                self._listen(arn, port, protocol)

    def _close_gone(self, wanted: dict[str, tuple[int, str]]) -> None:
        for arn in [arn for arn in self._open if arn not in wanted]:
            self._open.pop(arn).close()
        for arn in [arn for arn in self.problems if arn not in wanted]:
            del self.problems[arn]

    def _listen(self, arn: str, port: int, protocol: str) -> None:
        silent = f"the {protocol} listener on port {port} does not answer here"
        if protocol not in {"HTTP", "HTTPS"}:
            self._problem(arn, f"{silent}: only HTTP is simulated, and HTTPS without its TLS")
            return
        door = Door(self._stand_ins.get(port, port), port, protocol.lower(), self._stand_ins)
        try:
            self._open[arn] = Listener(door, lambda: self._tables.get(arn, Table()))
        except PermissionError:
            # only root may listen below 1024; nothing is wrong, for endpoints have ports of their own
            self._problem(arn, silent, logging.INFO)
        except OSError as error:
            self._problem(arn, f"{silent}: {error.strerror}: stop what listens there, or take other ports")

    def _problem(self, arn: str, text: str, level: int = logging.WARNING) -> None:
        """Said once per listener."""
        self.problems[arn] = text
        _LOG.log(level, "%s", text)


def _target(entry: dict[str, Any]) -> Target:
    port = int(entry["Port"])
    return Target(entry["Id"], port, ADDRESSES.get((entry["Id"], port), port), entry["Health"]["State"])


def _rules(listener: Any) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            _LAST if rule.is_default else int(rule.priority),
            tuple(dict(condition) for condition in rule.conditions),
            tuple(dict(action.data) for action in rule.actions),
        )
        for rule in listener.rules.values()
    )
