"""The embedded cloud: AWS as far as Shoal needs it, in this process, on 127.0.0.1."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from shoal_local import inventory as accounts
from shoal_local import server as servers
from shoal_local.clients import Clients
from shoal_local.clock import Clock
from shoal_local.deployer import Deployer
from shoal_local.errors import AlreadyRunning
from shoal_local.faults import Faults
from shoal_local.mailbox import Mail, Mailbox
from shoal_local.names import ACCOUNT, REGION, backend
from shoal_local.server import Server

if TYPE_CHECKING:
    from shoal_local.fleet.engine import Fleet

BASE_DOMAIN = "shoal.localhost"
"""Names below ``localhost`` lead to this machine (RFC 6761), in browsers and in curl."""
# no registry holds it: the fleet runs the worker's own entry point for any image
WORKER_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shoal-worker:local"
PROJECT = Path(__file__).resolve().parents[2]
_RUNNING = threading.Lock()


class Cloud:
    """``with Cloud() as cloud:`` has the whole system deployed and answering.

    One at a time in a process: moto keeps its state in module globals, and the state goes with the cloud.

    Args:
        root: the project; ``template`` is its ``template.yaml`` unless given.
        environment: which ``env/<environment>.json`` gives the parameters.
        deploy: whether the template is deployed at the start.
        clock: how fast simulated time runs.
        iam: whether permissions are enforced.
        state_folder: where unpacked code goes; ``<root>/.shoal`` unless given.
        port: of the AWS endpoint; 0 takes a free one.
        parameters: of the template, over those of the environment's file.
        fleet: whether ECS tasks and load balancers come alive.
    """

    region = REGION
    account = ACCOUNT

    def __init__(
        self,
        root: Path = PROJECT,
        *,
        environment: Literal["dev", "qa", "prod"] = "prod",
        deploy: bool = True,
        clock: Clock | None = None,
        iam: bool = True,
        template: Path | None = None,
        state_folder: Path | None = None,
        port: int = 0,
        parameters: dict[str, str] | None = None,
        fleet: bool = True,
    ) -> None:
        self.root = root
        self.template = template or root / "template.yaml"
        self.clock = clock or Clock()
        self.state_folder = state_folder or root / ".shoal"
        self.stack_name = f"shoal-{environment}"
        self.faults = Faults()
        self.outputs: dict[str, str] = {}
        self.stop_requested = threading.Event()
        self._environment = environment
        self._mailbox = Mailbox()
        self._options = (deploy, iam, port, dict(parameters or {}), fleet)
        self._stoppers: list[Any] = []
        self.fleet: Fleet | None = None

    def __enter__(self) -> Cloud:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Come up; what has started is stopped again if a later step fails.

        Raises:
            AlreadyRunning: this process has a cloud already.
            StackFailed: the template could not be deployed.
        """
        if not _RUNNING.acquire(blocking=False):
            raise AlreadyRunning("this process has a cloud already: stop it, or use another process")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        deploy, enforced, port, parameters, fleet = self._options
        servers.prepare_moto()
        servers.reset_moto()
        from shoal_local import quick, strict
        from shoal_local.control import Control
        from shoal_local.guard import Guard
        from shoal_local.iam import Iam
        from shoal_local.network import make_networks

        make_networks(self.root / "env")
        strict.install()
        quick.install()
        self.iam = Iam(enforced)
        guard = Guard(servers.moto_application(), self.iam, self.faults, self._mailbox)
        self._server = Server(Control(self, guard), port, servers.moto_request_handler())
        self._stoppers.append(self._server)
        self.endpoint_url = self._server.url
        os.environ["MOTO_PORT"] = str(self._server.port)
        self._clients = Clients(self.endpoint_url, self.iam.admin_credentials)
        self._wire()
        self._server.start()
        if fleet:
            from shoal_local import fleet as fleets

            self.fleet = fleets.start(self)
            self._stoppers.append(self.fleet)
        if deploy:
            self.deploy(parameters=parameters)

    def _wire(self) -> None:
        """Put our parts into moto's places and start what runs beside the server."""
        from shoal_local import (
            asl,
            bucket_events,
            bucket_policy,
            cfn_resource,
            cfn_stacks,
            execution_events,
            lambda_runtime,
        )
        from shoal_local.gateway import Gateway
        from shoal_local.lambda_pool import LambdaPool
        from shoal_local.ports import PortBlock
        from shoal_local.schedules import Schedules

        self._ports = PortBlock()
        self._stoppers.append(self._ports)
        self._pool = LambdaPool(self.iam, self.endpoint_url, self.state_folder, self.clock)
        cfn_resource.bind(self.client, self.iam)
        cfn_stacks.install()
        bucket_events.install()
        bucket_policy.install()
        lambda_runtime.install(self._pool, self.clock)
        asl.install(self.clock, self.iam, self._client_as)
        execution_events.install()
        self._gateway = Server(Gateway(self.iam, self._pool))
        self._schedules = Schedules(self.clock, self.iam, self._pool)
        self._stoppers += [self._gateway, self._schedules]
        self._gateway.start()
        self._schedules.start()

    def _client_as(self, service: str, credentials: dict[str, str]) -> Any:
        return Clients(self.endpoint_url, credentials).client(service)

    def stop(self) -> None:
        """End every process, thread and server of this cloud, and forget its state."""
        from shoal_local import asl, strict
        from shoal_local.patches import restore_all

        try:
            if hasattr(self, "_pool"):
                asl.stop_executions()
                self._pool.close()
            while self._stoppers:
                self._stoppers.pop().stop()
        finally:
            strict.uninstall()
            restore_all()
            servers.reset_moto()
            servers.forget_environment()
            _RUNNING.release()

    def deploy(
        self, template: Path | None = None, parameters: dict[str, str] | None = None
    ) -> dict[str, str]:
        """Deploy (again) and warm the functions up in the background; the stack's outputs.

        Raises:
            StackFailed: with the reasons.
        """
        from shoal_local.lambda_runtime import prewarm_all
        from shoal_local.network import make_certificate

        local = {
            "ListenerPorts": str(self._ports),
            "WorkerImage": WORKER_IMAGE,
            "CertificateArn": make_certificate(BASE_DOMAIN),
            "BaseDomain": BASE_DOMAIN,
        }
        deployer = Deployer(self.client, self.stack_name, self._environment, local)
        self.outputs = deployer.deploy(template or self.template, parameters)
        prewarm_all(self._pool)
        return self.outputs

    @property
    def stand_ins(self) -> dict[int, int]:
        """443 and 80 to the ports of this machine that answer in their place, without TLS."""
        return self._ports.stand_ins()

    @property
    def api_url(self) -> str:
        """The deployed API's URL on loopback, with its stage; without a deployed API only the server's."""
        stages = [name for api in backend("apigateway").apis.values() for name in api.stages]
        # SAM adds a stage called "Stage" of its own to every API
        chosen = sorted(stages, key=lambda name: name == "Stage")
        return f"{self._gateway.url}/{chosen[0]}" if chosen else self._gateway.url

    @property
    def credentials(self) -> dict[str, str]:
        """The administrator's keys, as AWS_* variables."""
        return dict(self.iam.admin_credentials)

    def credentials_for_role(self, role_arn: str, session: str) -> dict[str, str]:
        """A role's keys, as AWS_* variables.

        Raises:
            LookupError: there is no such role.
        """
        return self.iam.credentials_for_role(role_arn, session)

    def environment(self) -> dict[str, str]:
        """What a child process needs to talk to this cloud as its administrator."""
        region = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
        return {**self.credentials, "AWS_ENDPOINT_URL": self.endpoint_url, **region}

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, with the administrator's rights."""
        return self._clients.client(service)

    def mailbox(self) -> list[Mail]:
        """Every e-mail sent, oldest first."""
        return self._mailbox.all()

    def inventory(self) -> list[accounts.Item]:
        """Every resource of the account as (service, kind, identifier), sorted."""
        return accounts.inventory()

    def iam_report(self) -> dict[str, Any]:
        """Role by role: denied calls, unused grants, wildcard resources, allowed calls."""
        return self.iam.report()

    def write_state(self, file: Path) -> Path:
        """Write the file by which the command line finds this cloud (see :mod:`shoal_local.state`)."""
        from shoal_local.state import write_state

        return write_state(file, self)

    def summary(self) -> dict[str, Any]:
        """What the command line needs to know, without secrets."""
        return {
            "endpoint_url": self.endpoint_url,
            "api_url": self.api_url,
            "region": self.region,
            "account": self.account,
            "stack": self.stack_name,
            "clock": self.clock.speed,
            "pid": os.getpid(),
            "stand_ins": self.stand_ins,
            "outputs": self.outputs,
        }
