"""What the ECS agent answers a container: metadata v4, its task role's credentials, task protection.

Sources: ECS guide, "Task metadata endpoint version 4", "Task IAM role" (the credentials document), "Task
scale-in protection endpoint" (``PUT $ECS_AGENT_URI/task-protection/v1/state``). One server on loopback for
all tasks, a secret token in each one's path, as the agent does. Below ``imds/<instance>`` it also has what of
an instance's metadata is simulated.
"""

from __future__ import annotations

import datetime
import json
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from shoal_local.clients import Clients
from shoal_local.fleet.cloud import CloudFace
from shoal_local.fleet.records import TaskRecord
from shoal_local.fleet.spot import Notices
from shoal_local.server import Server

CREDENTIALS_HOURS = 6


@dataclass(frozen=True)
class _Guest:
    task: TaskRecord
    role: str
    definition: Any


class Agent:
    """Answers tasks while they run."""

    def __init__(self, cloud: CloudFace, notices: Notices) -> None:
        self._cloud = cloud
        self._notices = notices
        self._lock = threading.Lock()
        self._guests: dict[str, _Guest] = {}
        self._server = Server(self._application)

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def admit(self, task: TaskRecord, role: str, definition: Any) -> dict[str, str]:
        """Know a task from now on; the variables its container gets. Without a task role there are no
        credentials."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._guests[token] = _Guest(task, role, definition)
        url = self.url
        credentials = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/credentials/{token}"} if role else {}
        return {
            "ECS_CONTAINER_METADATA_URI_V4": f"{url}/v4/{token}",
            "ECS_AGENT_URI": f"{url}/api/{token}",
            **credentials,
        }

    def dismiss(self, task: TaskRecord) -> None:
        with self._lock:
            self._guests = {token: guest for token, guest in self._guests.items() if guest.task is not task}

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        kind, _, rest = request.path.strip("/").partition("/")
        if kind == "imds":
            given = request.headers.get("X-aws-ec2-metadata-token", "")
            status, text = self._notices.metadata(rest, request.method, given)
            return Response(text, status)
        token, _, path = rest.partition("/")
        with self._lock:
            guest = self._guests.get(token)
        if guest is None:
            return _json({"code": "InvalidIdInRequest", "message": "no running task has this token"}, 400)
        handlers = {"credentials": self._credentials, "v4": self._metadata, "api": self._protection}
        if kind not in handlers:
            return _json({"code": "NotFound", "message": f"no {request.path} here"}, 404)
        return handlers[kind](guest, path, request)

    def _credentials(self, guest: _Guest, path: str, request: Request) -> Response:  # noqa: ARG002  one signature
        try:
            keys = self._cloud.credentials_for_role(guest.role, guest.task.id)
        except LookupError as error:
            return _json({"code": "AccessDenied", "message": str(error)}, 500)
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=CREDENTIALS_HOURS)
        return _json(
            {
                "RoleArn": guest.role,
                "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
                "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                "Token": keys.get("AWS_SESSION_TOKEN", ""),
                "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )

    def _metadata(self, guest: _Guest, path: str, request: Request) -> Response:  # noqa: ARG002
        task = guest.task
        container = {
            "DockerId": task.container.runtime_id,
            "Name": task.container.name,
            "Image": task.container.image,
            "ContainerARN": task.container.container_arn,
            "KnownStatus": task.container.last_status,
        }
        if path == "":
            return _json(container)
        if path != "task":
            return _json({}, 200 if path == "stats" else 404)
        return _json(
            {
                "Cluster": task.cluster_name,
                "TaskARN": task.task_arn,
                "Family": guest.definition.family,
                "Revision": str(guest.definition.revision),
                "ServiceName": task.group.removeprefix("service:"),
                "DesiredStatus": task.desired_status,
                "KnownStatus": task.last_status,
                "LaunchType": task.launch_type,
                "Containers": [container],
            }
        )

    def _protection(self, guest: _Guest, path: str, request: Request) -> Response:
        """The agent calls ECS with the task role's rights and hands the answer on."""
        from botocore.exceptions import ClientError

        if path != "task-protection/v1/state" or request.method not in ("GET", "PUT"):
            return _json({"code": "NotFound", "message": f"no {path} here"}, 404)
        where = {"cluster": guest.task.cluster_arn, "tasks": [guest.task.task_arn]}
        try:
            keys = self._cloud.credentials_for_role(guest.role, guest.task.id)
            ecs = Clients(self._cloud.endpoint_url, keys).client("ecs")
            if request.method == "GET":
                answer = ecs.get_task_protection(**where)
            else:
                answer = ecs.update_task_protection(**where, **_wanted(request.get_json()))
        except ClientError as error:
            return _refusal(guest, error.response["Error"]["Code"], str(error))
        except LookupError as error:
            return _refusal(guest, "AccessDeniedException", str(error))
        if answer["failures"]:
            return _json({"failure": {"Arn": guest.task.task_arn, "Reason": answer["failures"][0]["reason"]}})
        return _json({"protection": _spelled(answer["protectedTasks"][0])})


def _wanted(body: dict[str, Any]) -> dict[str, Any]:
    wanted = {"protectionEnabled": bool(body.get("ProtectionEnabled"))}
    return wanted | (
        {"expiresInMinutes": int(body["ExpiresInMinutes"])} if "ExpiresInMinutes" in body else {}
    )


def _spelled(protected: dict[str, Any]) -> dict[str, Any]:
    spelled = {"ProtectionEnabled": protected["protectionEnabled"], "TaskArn": protected["taskArn"]}
    expires = protected.get("expirationDate")
    return spelled | ({"ExpirationDate": expires.strftime("%Y-%m-%dT%H:%M:%SZ")} if expires else {})


def _refusal(guest: _Guest, code: str, message: str) -> Response:
    return _json({"error": {"Arn": guest.task.task_arn, "Code": code, "Message": message}}, 400)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
