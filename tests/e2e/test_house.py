"""The main job from end to end, and the ways it fails, in one embedded cloud."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from permissions_page import unexplained
from shoal_cli.errors import ApiProblem
from shoal_cli.jobs import download
from shoal_cli.watch import watch_jobs

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("house")]


@pytest.fixture(scope="module")
def registered(house: Any) -> int:
    version: int = house.register()
    return version


@pytest.fixture(scope="module")
def life(
    house: Any, registered: int, video: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """One deployment's whole life; each test below looks at one part of it."""
    folder = tmp_path_factory.mktemp("life")
    before = house.account()
    ready = house.deploy("reef", notify=["scientist@example.org"], model_version=registered)
    key = "videos/reef/dive/reef.mp4"
    house.connection.client("s3").upload_file(str(video), house.connection.data_bucket, key)
    missing = "videos/reef/dive/gone.mp4"
    jobs = house.api.submit("reef", {"videos": [key, missing], "job_name": "dive"})["jobs"]
    records = watch_jobs(
        house.api, "reef", [job["job_id"] for job in jobs], timeout_seconds=90, poll_seconds=0.2
    )
    health = requests.get(f"{ready['endpoint']}/health", timeout=10)
    archives = download(house.connection, records, folder)
    deleted = house.delete("reef")
    return {
        "before": before, "ready": ready, "records": records, "health": health, "archives": archives,
        "deleted": deleted, "after": house.account(), "mail": house.cloud.mailbox(),
    }  # fmt: skip


def test_the_deployment_becomes_ready(life: dict[str, Any]) -> None:
    assert life["ready"]["status"] == "READY", life["ready"]
    assert life["health"].status_code == 200


def test_the_video_is_tracked_and_the_missing_one_fails_with_its_reason(life: dict[str, Any]) -> None:
    tracked, missing = life["records"]
    assert (tracked["status"], tracked["frames"]) == ("SUCCEEDED", 60)
    assert missing["status"] == "FAILED"
    assert "gone.mp4" in missing["reason"]
    assert [path.name for path in life["archives"]] == ["reef.tracks.tar.gz"]


def test_the_mail_names_the_endpoint(life: dict[str, Any]) -> None:
    mails = [mail for mail in life["mail"] if "scientist@example.org" in mail["to"]]
    assert any(life["ready"]["endpoint"] in mail["text"] for mail in mails)
    assert any(life["ready"]["endpoint"] in mail["html"] for mail in mails)


def test_the_deletion_leaves_the_account_as_it_was(life: dict[str, Any]) -> None:
    assert life["deleted"]["status"] == "DELETED"
    assert life["after"] == life["before"]


def test_the_endpoint_refuses_after_the_deletion(life: dict[str, Any]) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{life['ready']['endpoint']}/health", timeout=5)


def test_a_service_that_never_becomes_stable_is_rolled_back(house: Any, registered: int) -> None:
    # Given
    before = house.account()
    house.cloud.faults.set("unstable", "crash")
    # When
    final = house.deploy("unstable", model_version=registered, notify=["operator@example.org"])
    # Then
    assert final["status"] == "FAILED"
    assert final["reason"]
    assert house.account() == before
    mails = [mail for mail in house.cloud.mailbox() if "operator@example.org" in mail["to"]]
    assert any("unstable" in mail["subject"] and final["reason"][:40] in mail["text"] for mail in mails)
    executions = house.connection.client("stepfunctions")
    machine = house.connection.outputs["DeployStateMachine"]
    found = executions.list_executions(stateMachineArn=machine)["executions"]
    assert {run["status"] for run in found if run["name"].startswith("unstable-")} == {"FAILED"}


def test_a_stack_file_of_the_seeds_deploys_as_it_is(house: Any, tmp_path: Path) -> None:
    # Given
    s3 = house.connection.client("s3")
    account = house.cloud.account
    location = {"LocationConstraint": house.cloud.region}
    for bucket, key in (("models", "Megadetector.pt"), ("track-conf", "strong_sort_benthic.yaml")):
        s3.create_bucket(Bucket=f"deepsea-ai-{account}-{bucket}", CreateBucketConfiguration=location)
        s3.put_object(Bucket=f"deepsea-ai-{account}-{bucket}", Key=key, Body=b"STRONGSORT:\n  MAX_AGE: 30\n")
    before = house.account()
    (tmp_path / "megadetector.yaml").write_text(SEED.replace("168552337187", account))
    # When
    state = house.cloud.write_state(tmp_path / ".shoal" / "local.json")
    done = subprocess.run(
        [sys.executable, "-m", "shoal_cli", "deploy", "megadetector.yaml", "stacks/megadetector"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    # Then
    assert state.exists()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "30" in done.stdout
    assert (tmp_path / "stacks/megadetector/resources.json").exists()
    assert house.delete("megadetector")["status"] == "DELETED"
    assert house.account() == before


def test_the_same_post_twice_changes_nothing(house: Any, registered: int) -> None:
    # Given
    first = house.deploy("twice", serves=["queue"], model_version=registered)
    account = house.account()
    # When
    second = house.deploy("twice", serves=["queue"], model_version=registered)
    # Then
    assert (first["status"], second["revision"]) == ("READY", first["revision"])
    assert house.account() == account
    with pytest.raises(ApiProblem, match="409"):
        house.api.deploy(
            {"name": "twice", "registered_model": "drifters", "fleet_size": 2, "serves": ["queue"]}
        )
    assert house.delete("twice")["status"] == "DELETED"


def test_every_grant_is_used_and_no_call_is_denied(house: Any) -> None:
    """Last in this file: it looks back over the whole run."""
    report = house.cloud.iam_report()
    assert {role: entry["denied"] for role, entry in report.items() if entry["denied"]} == {}
    assert unexplained(report) == []


SEED = """\
Comment: This stack deploys the Megadetector YOLOv5 model
StackName: Megadetector
TaskDefinition: strongsort-yolov5
ContainerImage: 168552337187.dkr.ecr.us-west-2.amazonaws.com/mbari/strongsort-yolov5:1.10.0
FleetSize: 1
BlockDeviceVolumeGBRoot: 10
TimeoutHours: 2
model_location: s3://deepsea-ai-168552337187-models/Megadetector.pt
track_config: s3://deepsea-ai-168552337187-track-conf/strong_sort_benthic.yaml
"""
