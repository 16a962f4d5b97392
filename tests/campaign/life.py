"""A deployment's whole life under faults, as hypothesis draws it (RuleBasedStateMachine)."""

from __future__ import annotations

from campaign.sampling import FULL, SEED
from faults import snapshot
from faults.cases import observed, status_of
from faults.plans import Fault
from faults.snapshot import Snapshot
from faults.world import World, specification
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from shoal_local.names import backend

NAMES = ("benthic", "pelagic")
_ABSENT = frozenset({"", "DELETED"})
_OVER = _ABSENT | {"FAILED"}
_CALLS = (
    "dynamodb.TransactWriteItems", "dynamodb.Query", "dynamodb.GetItem", "ecs.CreateCluster",
    "ecs.CreateService", "ecs.RegisterTaskDefinition", "ecs.DescribeServices", "ecs.DeleteService",
    "ecs.DeleteCluster", "ecs.UpdateService", "ecs.DescribeServices", "cloudwatch.PutMetricAlarm",
    "elbv2.CreateListener", "elbv2.DeleteListener", "elbv2.CreateTargetGroup", "elbv2.DeleteTargetGroup",
    "sqs.CreateQueue", "sqs.DeleteQueue", "logs.DeleteLogGroup", "stepfunctions.StartExecution",
)  # fmt: skip
_KINDS = ("throttle*", "denied", "lost*", "5xx-after*", "crash-before", "crash-after", "denied**", "lost**")
EXAMPLES = 200 if FULL else 15
STEPS = 8

faults = st.one_of(
    st.just(()),
    st.builds(
        lambda *given: (Fault(*given),), st.sampled_from(_CALLS), st.integers(1, 6), st.sampled_from(_KINDS)
    ),
    st.builds(
        lambda function, number: (Fault(f"lambda.{function}", number, "dies"),),
        st.sampled_from(
            ("task_cluster", "ecs_service", "deletion", "rollback", "service_status", "fleet_reconciler")
        ),
        st.integers(1, 3),
    ),
)
names = st.sampled_from(NAMES)
arguments = st.sampled_from(("", "--conf-thres=0.3"))


class Life(RuleBasedStateMachine):
    """Any request at any time, each under a fault or none; ``world`` and ``start`` are the run's own."""

    world: World
    start: Snapshot

    @rule(name=names, args=arguments, drawn=faults)
    def deploy(self, name: str, args: str, drawn: tuple[Fault, ...]) -> None:
        """Anew, or what has the name is updated; the same again changes nothing."""
        before, same = status_of(name), self._is_wanted(name, args)
        body = specification(name, compute="fargate-cpu", args=args)
        status = self._asked("POST", "/deploy", drawn, body)
        if not drawn:
            answers = dict.fromkeys(_OVER, 202) | {"READY": 202, "UPDATE_ROLLBACK_FAILED": 202}
            answers |= {"READY": 200, "STOPPED": 200} if same else {}
            assert status == answers.get(before, 409), (before, same, status)
            assert before not in answers or status_of(name) == ("STOPPED" if before == "STOPPED" else "READY")

    @rule(name=names, drawn=faults)
    def roll_back(self, name: str, drawn: tuple[Fault, ...]) -> None:
        before = status_of(name)
        status = self._asked("POST", f"/deploy/{name}/rollback", drawn)
        if not drawn:
            # 409 also where there is no good revision before the wanted one
            allowed = {202, 409} if before in {"READY", "UPDATE_ROLLBACK_FAILED"} else {409}
            assert status in ({404} if before in _ABSENT else allowed), (before, status)
            assert status_of(name) == ("READY" if status == 202 else before)

    @rule(name=names, drawn=faults)
    def stop(self, name: str, drawn: tuple[Fault, ...]) -> None:
        self._halted_or_not(name, "stop", drawn, {"READY": 202, "STOPPED": 200}, "STOPPED")

    @rule(name=names, drawn=faults)
    def start_again(self, name: str, drawn: tuple[Fault, ...]) -> None:
        self._halted_or_not(name, "start", drawn, {"STOPPED": 202, "READY": 200}, "READY")

    def _halted_or_not(
        self, name: str, action: str, drawn: tuple[Fault, ...], answers: dict[str, int], later: str
    ) -> None:
        before = status_of(name)
        status = self._asked("POST", f"/deploy/{name}/{action}", drawn)
        if not drawn:
            expected = 404 if before in _ABSENT else answers.get(before, 409)
            assert status == expected, (before, status)
            assert status_of(name) == (later if before in answers else before)

    @rule(name=names, drawn=faults)
    def delete(self, name: str, drawn: tuple[Fault, ...]) -> None:
        before = status_of(name)
        status = self._asked("DELETE", f"/deploy/{name}", drawn)
        if not drawn:
            assert status == (404 if before in {"", "DELETED"} else 202), (before, status)
            assert before == "" or status_of(name) == "DELETED"

    @rule(name=names)
    def fail(self, name: str) -> None:
        """A deployment whose workers never start."""
        if status_of(name) in _OVER:
            self.world.fleet.broken = f"dev-{name}"
            self._asked("POST", "/deploy", (), specification(name, compute="fargate-cpu"))
            self.world.fleet.broken = ""
            assert status_of(name) == "FAILED"

    @invariant()
    def nothing_is_left_of_what_is_over(self) -> None:
        now = snapshot.take()
        for name in (one for one in NAMES if status_of(one) in _OVER):
            left = [line for line in snapshot.difference(self.start, now, name) if name in line]
            assert not left, left
            assert not observed(name)

    @invariant()
    def what_is_stopped_runs_nothing(self) -> None:
        for name in NAMES:
            if status_of(name) == "STOPPED":
                (service,) = [
                    one for one in backend("ecs").services.values() if one.name == f"shoal-dev-{name}"
                ]
                assert (service.desired_count, service.running_count) == (0, 0)

    def teardown(self) -> None:
        for name in NAMES:
            if status_of(name) not in {"", "DELETED"}:
                self.world.ask("DELETE", f"/deploy/{name}")
                assert status_of(name) == "DELETED"
        self.nothing_is_left_of_what_is_over()

    def _asked(self, method: str, path: str, drawn: tuple[Fault, ...], body: object = None) -> int:
        """The request under its faults, then a quiet hour for the recovery."""
        self.world.machines.begin()
        self.world.injector.begin(list(drawn))
        answer = self.world.ask(method, path, body)
        self.world.reconcile()
        self.world.injector.end()
        self.world.recover()
        self.world.clock.sleep(61)
        return int(answer.status)

    def _is_wanted(self, name: str, args: str) -> bool:
        from shoal.deployments import store

        found = store.find(name)
        return found is not None and found.spec.args == args


def run(world: World) -> None:
    """Raises what hypothesis found, with the steps that lead there."""
    machine = type("Life", (Life,), {"world": world, "start": snapshot.take()})
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    seed(SEED)(machine)
    run_state_machine_as_test(machine, settings=chosen)
