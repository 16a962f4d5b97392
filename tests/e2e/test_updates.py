"""A deployment that changes while it serves: updated, wrongly updated, rolled back, stopped and started."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from shoal_cli.watch import watch_jobs

pytestmark = [pytest.mark.e2e, pytest.mark.long]

NAME = "shift"
OWN = f"shoal-prod-{NAME}"


class Caller:
    """Calls the endpoint all the time and keeps what did not answer 200."""

    def __init__(self, url: str) -> None:
        self.url, self.calls = url, 0
        self.failures: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @contextmanager
    def calling(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            self.calls += 1
            try:
                answer = requests.get(f"{self.url}/health", timeout=10)
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code}: {answer.text[:100]}")
            except requests.RequestException as error:
                self.failures.append(str(error))


@pytest.fixture(scope="module")
def shift(house: Any) -> dict[str, Any]:
    """What the API and AWS showed after each change; each test below looks at one."""
    version = house.register()
    bucket = _model_bucket(house)
    before = house.account()
    spec = {
        "name": NAME, "registered_model": "drifters", "model_version": version,
        "serves": ["queue", "endpoint"], "notify": ["chief@example.org"],
    }  # fmt: skip
    first = house.deploy(**spec)
    seen = {"first": (first, _shown(house))}
    caller = Caller(first["endpoint"])
    with caller.calling():
        better = spec | {"args": "--conf-thres=0.3", "instance_type": "g6.xlarge"}
        seen["updated"] = _change(house, "PUT", better | {"track_config": _track_config(house)})
        assert seen["updated"][0]["revision"] == 2, seen["updated"]
        seen["broken"] = _change(house, "PUT", _broken(bucket, spec))
        seen["rolled back"] = _change(house, "rollback", {"reason": "fewer false jellies"})
    return {"before": before, "caller": caller, "revisions": house.api.revisions(NAME), **seen}


def _change(house: Any, action: str, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    if action == "PUT":
        house.api.update(NAME, body)
    else:
        house.api.change(NAME, action, body)
    return house.settled(NAME), _shown(house)


def _track_config(house: Any) -> str:
    key = "track-config/bytetrack.yaml"
    body = b"tracker_type: bytetrack\ntrack_buffer: 60\n"
    house.connection.client("s3").put_object(Bucket=house.connection.data_bucket, Key=key, Body=body)
    return f"s3://{house.connection.data_bucket}/{key}"


def _model_bucket(house: Any) -> str:
    """A bucket that the stack may read, with a file that is no model; its name."""
    s3, bucket = house.connection.client("s3"), f"deepsea-ai-{house.cloud.account}-models"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": house.cloud.region})
    s3.put_object(Bucket=bucket, Key="broken.onnx", Body=b"no model")
    return bucket


def _broken(bucket: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A model that no worker can open, in a bucket of the user's, on another kind of instance."""
    kept = {name: value for name, value in spec.items() if name not in {"registered_model", "model_version"}}
    return kept | {"model_location": f"s3://{bucket}/broken.onnx", "instance_type": "g4dn.xlarge"}


def _shown(house: Any) -> dict[str, Any]:
    client = house.connection.client
    service = client("ecs").describe_services(cluster=OWN, services=[OWN])["services"][0]
    groups = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[OWN])
    (group,) = groups["AutoScalingGroups"]
    versions = client("ec2").describe_launch_template_versions(LaunchTemplateName=OWN)
    return {
        "runs": service["taskDefinition"],
        "definitions": client("ecs").list_task_definitions(familyPrefix=OWN)["taskDefinitionArns"],
        "template": group["LaunchTemplate"]["Version"],
        "versions": sorted(str(one["VersionNumber"]) for one in versions["LaunchTemplateVersions"]),
        "bounds": (group["MinSize"], group["MaxSize"]),
        "instances": len(group["Instances"]),
    }


def test_an_update_becomes_ready_with_what_it_changed(shift: dict[str, Any]) -> None:
    (first, before), (updated, after) = shift["first"], shift["updated"]
    assert (first["revision"], updated["revision"], updated["status"]) == (1, 2, "READY"), updated
    assert updated["endpoint"] == first["endpoint"]
    assert (after["runs"] != before["runs"], after["template"], after["versions"]) == (True, "2", ["1", "2"])


def test_the_endpoint_answered_throughout(shift: dict[str, Any]) -> None:
    assert shift["caller"].failures == []
    assert shift["caller"].calls > 50


def test_a_revision_that_does_not_start_returns_to_the_one_before(house: Any, shift: dict[str, Any]) -> None:
    (_, good), (returned, after) = shift["updated"], shift["broken"]
    assert (returned["status"], returned["revision"]) == ("READY", 2), returned
    assert "revision 3 failed, revision 2 serves" in returned["reason"]
    assert after | {"instances": 0} == good | {"instances": 0}
    mails = [mail for mail in house.cloud.mailbox() if "chief@example.org" in mail["to"]]
    (told,) = [mail for mail in mails if "the update failed, revision 2 serves" in mail["subject"]]
    assert "circuit breaker" in told["text"]


def test_a_rollback_brings_back_the_very_same(shift: dict[str, Any]) -> None:
    (_, first), (back, after) = shift["first"], shift["rolled back"]
    assert (back["status"], back["revision"]) == ("READY", 1), back
    assert (after["runs"], after["template"]) == (first["runs"], first["template"])


def test_the_history_says_what_was_tried(shift: dict[str, Any]) -> None:
    told = {
        one["revision"]: [(change["action"], change["outcome"]) for change in one["changes"]]
        for one in shift["revisions"]
    }
    assert told == {
        3: [("update", "FAILED")],
        2: [("update", "READY")],
        1: [("rollback", "READY"), ("deploy", "READY")],
    }
    assert shift["revisions"][2]["changes"][0]["reason"] == "back to revision 1: fewer false jellies"


def test_a_stopped_deployment_keeps_its_jobs_and_works_on_when_it_is_started(
    house: Any, shift: dict[str, Any], video: Path
) -> None:
    # Given
    endpoint, key = shift["first"][0]["endpoint"], f"videos/{NAME}/reef.mp4"
    house.upload(video, key)
    # When
    stopped, shown = _change(house, "stop", {"reason": "night"})
    # Then: nothing runs, nothing can
    assert (stopped["status"], shown["bounds"], shown["instances"]) == ("STOPPED", (0, 0), 0), stopped
    submitted = house.api.submit(NAME, {"videos": [key]})
    assert submitted["desired_workers"] == 0
    time.sleep(3)  # three passes of the reconciler
    job = house.api.job(NAME, submitted["jobs"][0]["job_id"])
    assert (job["status"], _shown(house)["instances"]) == ("QUEUED", 0)
    # When
    started, _ = _change(house, "start", {})
    # Then
    assert (started["status"], started["endpoint"]) == ("READY", endpoint), started
    assert requests.get(f"{endpoint}/health", timeout=10).status_code == 200
    (record,) = watch_jobs(house.api, NAME, [job["job_id"]], timeout_seconds=90, poll_seconds=0.2)
    assert record["status"] == "SUCCEEDED", record


def test_the_deletion_takes_every_revision(house: Any, shift: dict[str, Any]) -> None:
    assert house.delete(NAME)["status"] == "DELETED"
    assert house.account() == shift["before"]


def test_no_call_was_denied(house: Any) -> None:
    report = house.cloud.iam_report()
    assert {role: entry["denied"] for role, entry in report.items() if entry["denied"]} == {}
