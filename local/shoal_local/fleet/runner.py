"""A task from PENDING to STOPPED: credentials, log stream, process, exit code. One thread each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shoal_local.clients import Clients
from shoal_local.fleet.agent import Agent
from shoal_local.fleet.cloud import CloudFace, free_port
from shoal_local.fleet.image import command_line, image_environment, stage
from shoal_local.fleet.logs import LogPump
from shoal_local.fleet.process import ContainerProcess
from shoal_local.fleet.records import TaskRecord, now
from shoal_local.names import REGION

_LOG = logging.getLogger("shoal_local.fleet")
DEFAULT_STOP_TIMEOUT = 30
"""ECS_CONTAINER_STOP_TIMEOUT of the agent, in seconds."""


class TaskRunner:
    """Runs the first container of a task. The simulated fleet has no second one."""

    def __init__(
        self,
        cloud: CloudFace,
        agent: Agent,
        folder: Path,
        entrypoint: Sequence[str],
        task: TaskRecord,
        definition: Any,
    ) -> None:
        self._cloud = cloud
        self._agent = agent
        self._scratch = folder / "tasks" / task.id
        self._application = stage(folder)
        self._entrypoint = entrypoint
        self._definition = definition
        self.task = task
        self._container: dict[str, Any] = definition.container_definitions[0]
        self._process: ContainerProcess | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"shoal-task-{task.id[:8]}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, at_once: bool = False) -> None:
        """Let it end within its stopTimeout, which is real time; ``at_once`` when its instance is gone."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        if at_once:
            process.kill()
        else:
            process.stop(float(self._container.get("stopTimeout") or DEFAULT_STOP_TIMEOUT))

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._run_container()
        except (BotoCoreError, ClientError, LookupError, OSError) as error:
            _LOG.warning("task %s failed to start: %s", self.task.id, error)
            self.task.stop("TaskFailedToStart", f"ResourceInitializationError: {error}")
            self._ended(None, str(error))

    def _run_container(self) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True)
        self.pull()
        environment = self._environment()
        with (self._scratch / "container.log").open("a", encoding="utf-8") as file:
            pump = self._pump(file)
            pump.open(str(self._log_options().get("awslogs-create-group")).lower() == "true")
            if self._stopping.is_set():
                return self._ended(None, None)
            command = command_line(self._entrypoint, self._container)
            self._process = ContainerProcess(command, environment, self._scratch)
            if self._stopping.is_set():
                self._process.stop(0)
            code = self._process.run(pump, self._started)
        self.task.stop("EssentialContainerExited", "Essential container in task exited")
        return self._ended(code, None)

    def pull(self) -> None:
        """The agent asks ECR for a token and the image's layers as the execution role.

        Raises:
            LookupError: the role may not.
        """
        role, image = self._role("execution_role_arn"), str(self._container["image"])
        authorize = getattr(getattr(self._cloud, "iam", None), "authorize_role", None)
        if authorize is None or ".dkr.ecr." not in image:
            return
        registry, _, name = image.partition("/")
        account, region = registry.split(".")[0], registry.split(".")[3]
        repository = f"arn:aws:ecr:{region}:{account}:repository/{name.split('@')[0].rsplit(':', 1)[0]}"
        needs = {"ecr:GetAuthorizationToken": "*"} | dict.fromkeys(
            ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"), repository
        )
        for action, resource in needs.items():
            if not role or not authorize(role, action, resource):
                raise LookupError(
                    f"CannotPullContainerError: {role or 'no execution role'} may not {action} on {resource}"
                )

    def _role(self, attribute: str) -> str:
        return str(getattr(self._definition, attribute, "") or "")

    def _log_options(self) -> dict[str, str]:
        logs = self._container.get("logConfiguration") or {}
        return dict(logs.get("options") or {}) if logs.get("logDriver") == "awslogs" else {}

    def _pump(self, file: Any) -> LogPump:
        options = self._log_options()
        if not options:
            return LogPump(None, "", "", file)
        credentials = self._cloud.credentials_for_role(
            self._role("execution_role_arn"), f"ecs-{self.task.id}"
        )
        client = Clients(self._cloud.endpoint_url, credentials).client("logs")
        parts = [options.get("awslogs-stream-prefix", ""), str(self._container["name"]), self.task.id]
        return LogPump(client, options["awslogs-group"], "/".join(part for part in parts if part), file)

    def _environment(self) -> dict[str, str]:
        """The image's, the agent's, then the container's own; the port it shall listen on is the host's."""
        given = {item["name"]: item["value"] for item in self._container.get("environment", [])}
        role = self._role("task_role_arn")
        agent = self._agent.admit(self.task, role, self._definition)
        port = self.task.host_port or free_port()
        self.task.host_port = port
        return {
            **image_environment(self._application, self._scratch),
            "AWS_ENDPOINT_URL": self._cloud.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_EXECUTION_ENV": "AWS_ECS_EC2" if self.task.launch_type == "EC2" else "AWS_ECS_FARGATE",
            **agent,
            **given,
            "SHOAL_PORT": str(port),
        }

    def _started(self, pid: int) -> None:
        container = self.task.container
        container.runtime_id, container.last_status = f"{self.task.id}-{pid}", "RUNNING"
        self.task.started_at = now()
        if self.task.desired_status == "RUNNING":
            self.task.move("RUNNING")

    def _ended(self, code: int | None, reason: str | None) -> None:
        container = self.task.container
        container.exit_code, container.reason, container.last_status = code, reason, "STOPPED"
        self._agent.dismiss(self.task)
        self.task.stopped_at = now()
        self.task.move("STOPPED")
