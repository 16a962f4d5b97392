"""The worker's environment, read once into a typed model; every complaint says what to do."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from shoal_worker.service.errors import ConfigurationError

Serves = Literal["queue", "endpoint"]
Transport = Literal["tcp", "unix"]
Containment = Literal["required", "available", "off"]

SEED_NAMES = {
    "SD_API_TRANSPORT": "SHOAL_TRANSPORT",
    "SD_API_TCP_PORT": "SHOAL_PORT",
    "SD_API_TCP_LOCAL": "SHOAL_LOCAL_ONLY",
    "SD_DEBUG_CRASH": "SHOAL_CRASH_DUMPS",
}
"""The API server's variables that the seeds' users set, and ours of the same meaning; ours come first."""

_TRANSPORTS = {"1": "tcp", "2": "unix"}

SOCKET_PATH_BYTES = 107
"""``sun_path`` of unix(7) without its closing zero."""

_HINTS = {
    "SHOAL_DEPLOYMENT": "set it to the deployment's name",
    "SHOAL_SERVES": "use queue, endpoint or queue,endpoint",
    "SHOAL_MODEL": "set it to an s3:// URI or a path of an .onnx file",
    "SHOAL_PORT": "use a port from 1026 to 65535 (8080 when it is not set)",
    "SHOAL_LOCAL_ONLY": "use 1 (listen on this machine only) or 0 (on every interface)",
    "SHOAL_TRANSPORT": "use tcp (1) or unix (2)",
    "SHOAL_SOCKET": f"use an absolute path of at most {SOCKET_PATH_BYTES} bytes",
    "SHOAL_USD_PER_HOUR": "use the price of the instance in USD an hour, a number above 0",
    "SHOAL_CONTAINMENT": "use required, available (what the kernel has) or off",
    "SHOAL_CRASH_DUMPS": "use 1 (write the stacks of a crash to SHOAL_CRASH_DIR) or 0",
    "TIMEOUT_HOURS": "use a number above 0 and at most 11.5: SQS gives a message back after 12 hours",
}


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


def _transport(value: object) -> object:
    return _TRANSPORTS.get(value, value) if isinstance(value, str) else value


def _socket_path(value: Path) -> Path:
    if not value.is_absolute() or len(bytes(value)) > SOCKET_PATH_BYTES:
        raise ValueError("this cannot be the path of a Unix socket")
    return value


class WorkerSettings(BaseModel):
    """Everything the worker reads from its environment.

    ``local_only`` is the seeds' SD_API_TCP_LOCAL: on by default, switched off in the container image. The
    transport is TCP by default (the seeds': a Unix socket), because the load balancer speaks TCP only.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    deployment: str = Field(min_length=1, max_length=64, validation_alias="SHOAL_DEPLOYMENT")
    revision: str = Field("", max_length=64, validation_alias="SHOAL_REVISION")
    serves: Annotated[tuple[Serves, ...], BeforeValidator(_words)] = Field(
        ("queue",), min_length=1, validation_alias="SHOAL_SERVES"
    )
    model: str = Field(min_length=1, max_length=1200, validation_alias="SHOAL_MODEL")
    track_config: str = Field("", max_length=1200, validation_alias="SHOAL_TRACK_CONFIG")
    args: str = Field("", max_length=2000, validation_alias="SHOAL_ARGS")
    image_uri: str = Field("", max_length=400, validation_alias="SHOAL_IMAGE_URI")
    port: int = Field(8080, ge=1026, le=65535, validation_alias="SHOAL_PORT")
    local_only: bool = Field(True, validation_alias="SHOAL_LOCAL_ONLY")
    transport: Annotated[Transport, BeforeValidator(_transport)] = Field(
        "tcp", validation_alias="SHOAL_TRANSPORT"
    )
    socket_path: Annotated[Path, AfterValidator(_socket_path)] | None = Field(
        None, validation_alias="SHOAL_SOCKET"
    )
    crash_dumps: bool = Field(False, validation_alias="SHOAL_CRASH_DUMPS")
    crash_dir: Path = Field(Path("/var/data"), validation_alias="SHOAL_CRASH_DIR")
    image_digest: str = Field("", max_length=200, validation_alias="SHOAL_IMAGE_DIGEST")
    model_version: str = Field("", max_length=40, validation_alias="SHOAL_MODEL_VERSION")
    instance_type: str = Field("", max_length=40, validation_alias="SHOAL_INSTANCE_TYPE")
    usd_per_hour: float | None = Field(None, gt=0, le=1000, validation_alias="SHOAL_USD_PER_HOUR")
    containment: Containment = Field("available", validation_alias="SHOAL_CONTAINMENT")
    work_dir: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / "shoal-worker",
        validation_alias="SHOAL_WORK_DIR",
    )
    video_queue: str = Field("", validation_alias="VIDEO_QUEUE")
    video_bucket: str = Field("", validation_alias="VIDEO_BUCKET")
    track_bucket: str = Field("", validation_alias="TRACK_BUCKET")
    jobs_table: str = Field("", validation_alias="JOBS_TABLE")
    timeout_hours: float = Field(2.0, gt=0, le=11.5, validation_alias="TIMEOUT_HOURS")
    region: str = Field("us-west-2", validation_alias="AWS_REGION")
    agent_uri: str = Field("", validation_alias="ECS_AGENT_URI")

    @model_validator(mode="after")
    def _queue_is_complete(self) -> WorkerSettings:
        needed = {
            "VIDEO_QUEUE": self.video_queue, "VIDEO_BUCKET": self.video_bucket,
            "TRACK_BUCKET": self.track_bucket, "JOBS_TABLE": self.jobs_table,
        }  # fmt: skip
        missing = [name for name, value in needed.items() if not value]
        if self.has_queue and missing:
            raise ValueError(f"SHOAL_SERVES names queue, so set {', '.join(missing)} too")
        return self

    @property
    def has_queue(self) -> bool:
        return "queue" in self.serves

    @property
    def has_endpoint(self) -> bool:
        return "endpoint" in self.serves

    @property
    def socket(self) -> Path | None:
        """Where the Unix socket lies; None when the worker listens on TCP."""
        if self.transport == "tcp":
            return None
        return self.socket_path or self.work_dir / "worker.sock"

    @property
    def contained(self) -> bool:
        """Whether videos are decoded in a process that can do nothing else."""
        return self.containment != "off"

    @property
    def host(self) -> str:
        return "127.0.0.1" if self.local_only else "0.0.0.0"  # noqa: S104 - in a container the port map decides

    @property
    def timeout_seconds(self) -> float:
        return self.timeout_hours * 3600


def _complaint(error: Mapping[str, Any], asked: Mapping[str, str]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    text = str(error["msg"]).removeprefix("Value error, ")
    given = "" if error["type"] == "missing" or not name else f"={error['input']!r}"
    hint = f": {_HINTS[name]}" if name in _HINTS else ""
    return f"{asked.get(name, name)}{given}: {text}{hint}" if name else text


def read_settings(environment: Mapping[str, str]) -> WorkerSettings:
    """The settings; an empty variable counts as one that is not set, a seed's name as ours.

    Raises:
        ConfigurationError: one line per variable at fault, each with what to do.
    """
    given = {name: value for name, value in environment.items() if value}
    asked = {ours: seed for seed, ours in SEED_NAMES.items() if seed in given and ours not in given}
    given |= {ours: given[seed] for ours, seed in asked.items()}
    try:
        return WorkerSettings.model_validate(given)
    except ValidationError as invalid:
        lines = [_complaint(error, asked) for error in invalid.errors(include_url=False)]
        raise ConfigurationError("the environment is not usable: " + "; ".join(lines)) from invalid
