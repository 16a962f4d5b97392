"""The environment: accepted values, defaults, and complaints that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.settings import read_settings

ENDPOINT = {"SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": "/models/a.onnx", "SHOAL_SERVES": "endpoint"}
QUEUE = {
    "SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": "s3://models/a.onnx", "SHOAL_SERVES": "queue",
    "VIDEO_QUEUE": "https://sqs.example.org/videos", "VIDEO_BUCKET": "videos", "TRACK_BUCKET": "tracks",
    "JOBS_TABLE": "jobs",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        (ENDPOINT, "port", 8080),
        (ENDPOINT | {"SHOAL_PORT": "1026"}, "port", 1026),
        (ENDPOINT | {"SHOAL_PORT": "65535"}, "port", 65535),
        (ENDPOINT | {"SHOAL_PORT": ""}, "port", 8080),
        (ENDPOINT, "host", "127.0.0.1"),
        (ENDPOINT | {"SHOAL_LOCAL_ONLY": "0"}, "host", "0.0.0.0"),
        (ENDPOINT, "serves", ("endpoint",)),
        (QUEUE | {"SHOAL_SERVES": " endpoint, queue,queue"}, "serves", ("endpoint", "queue")),
        (QUEUE, "has_endpoint", False),
        (QUEUE, "timeout_seconds", 7200.0),
        (QUEUE | {"TIMEOUT_HOURS": "0.5"}, "timeout_seconds", 1800.0),
        (QUEUE, "region", "us-west-2"),
        (ENDPOINT | {"SD_API_TCP_PORT": "9090"}, "port", 9090),
        (ENDPOINT | {"SD_API_TCP_PORT": "9090", "SHOAL_PORT": "8081"}, "port", 8081),
        (ENDPOINT | {"SD_API_TCP_LOCAL": "0"}, "host", "0.0.0.0"),
        (ENDPOINT | {"SD_API_TCP_LOCAL": "1"}, "host", "127.0.0.1"),
        (ENDPOINT | {"SD_DEBUG_CRASH": "1"}, "crash_dumps", True),
        (ENDPOINT, "crash_dumps", False),
        (ENDPOINT, "crash_dir", Path("/var/data")),
        (ENDPOINT, "contained", True),
        (ENDPOINT | {"SHOAL_CONTAINMENT": "off"}, "contained", False),
        (ENDPOINT, "socket", None),
        (ENDPOINT | {"SD_API_TRANSPORT": "1"}, "socket", None),
        (ENDPOINT | {"SD_API_TRANSPORT": "2", "SHOAL_WORK_DIR": "/w"}, "socket", Path("/w/worker.sock")),
        (ENDPOINT | {"SHOAL_TRANSPORT": "unix", "SHOAL_SOCKET": "/run/s"}, "socket", Path("/run/s")),
    ],
)
def test_a_value_is_read(given: dict[str, str], name: str, expected: object) -> None:
    assert getattr(read_settings(given), name) == expected


@pytest.mark.parametrize(
    ("change", "named", "advice"),
    [
        ({"SHOAL_PORT": "1025"}, "SHOAL_PORT='1025'", "1026 to 65535"),
        ({"SHOAL_PORT": "65536"}, "SHOAL_PORT='65536'", "1026 to 65535"),
        ({"SHOAL_PORT": "http"}, "SHOAL_PORT='http'", "1026 to 65535"),
        ({"SHOAL_SERVES": "queue,email"}, "SHOAL_SERVES", "queue, endpoint"),
        ({"SHOAL_SERVES": ","}, "SHOAL_SERVES", "queue, endpoint"),
        ({"SHOAL_MODEL": ""}, "SHOAL_MODEL", "s3:// URI or a path"),
        ({"SHOAL_DEPLOYMENT": ""}, "SHOAL_DEPLOYMENT", "deployment's name"),
        ({"TIMEOUT_HOURS": "12"}, "TIMEOUT_HOURS='12'", "at most 11.5"),
        ({"TIMEOUT_HOURS": "nan"}, "TIMEOUT_HOURS", "at most 11.5"),
        ({"VIDEO_QUEUE": "", "JOBS_TABLE": ""}, "VIDEO_QUEUE, JOBS_TABLE", "set VIDEO_QUEUE"),
        ({"SHOAL_LOCAL_ONLY": "maybe"}, "SHOAL_LOCAL_ONLY", "0 (on every interface)"),
        ({"SD_API_TCP_PORT": "1025"}, "SD_API_TCP_PORT='1025'", "1026 to 65535"),
        ({"SD_API_TCP_LOCAL": "2"}, "SD_API_TCP_LOCAL='2'", "0 (on every interface)"),
        ({"SD_API_TRANSPORT": "4"}, "SD_API_TRANSPORT='4'", "tcp (1) or unix (2)"),
        ({"SD_DEBUG_CRASH": "x"}, "SD_DEBUG_CRASH='x'", "SHOAL_CRASH_DIR"),
        ({"SHOAL_USD_PER_HOUR": "0"}, "SHOAL_USD_PER_HOUR='0'", "USD an hour"),
        ({"SHOAL_CONTAINMENT": "no"}, "SHOAL_CONTAINMENT='no'", "required, available"),
        ({"SHOAL_SOCKET": "run/s"}, "SHOAL_SOCKET", "absolute path"),
        ({"SHOAL_SOCKET": "/" + "s" * 107}, "SHOAL_SOCKET", "107 bytes"),
    ],
)
def test_a_complaint_names_the_variable_and_says_what_to_do(
    change: dict[str, str], named: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_settings(QUEUE | change)
    assert named in raised.value.reason
    assert advice in raised.value.reason
