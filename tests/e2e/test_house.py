"""The main job from end to end, and the ways it fails, in one embedded cloud."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import shoal_detector
from shoal_cli.demo.pictures import save_frame
from shoal_cli.errors import ApiProblem
from shoal_cli.jobs import download
from shoal_cli.watch import watch_jobs
from worker_fixtures import write_video

pytestmark = pytest.mark.e2e


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
    config = _track_config(house)
    ready = house.deploy(
        "reef", notify=["scientist@example.org"], model_version=registered, track_config=config
    )
    key = house.upload(video, "videos/reef/dive/reef.mp4")
    missing = "videos/reef/dive/gone.mp4"
    jobs = house.api.submit("reef", {"videos": [key, missing], "job_name": "dive", "clean": True})["jobs"]
    records = watch_jobs(
        house.api, "reef", [job["job_id"] for job in jobs], timeout_seconds=90, poll_seconds=0.2
    )
    listed = _listed(house, video)
    health = requests.get(f"{ready['endpoint']}/health", timeout=10)
    save_frame(video, folder / "frame.png")
    with (folder / "frame.png").open("rb") as image:
        predicted = requests.post(f"{ready['endpoint']}/predict", files={"image": image}, timeout=30)
    archives = download(house.connection, records, folder)
    report = house.api.doctor(now=True)
    left = house.connection.client("s3").list_objects_v2(Bucket=house.connection.data_bucket, Prefix=key)
    deleted = house.delete("reef")
    return {
        "listed": listed, "report": report, "video_left": left["KeyCount"], "before": before, "ready": ready,
        "records": records, "health": health, "predicted": predicted, "archives": archives,
        "deleted": deleted, "after": house.account(), "mail": house.cloud.mailbox(),
    }  # fmt: skip


def _listed(house: Any, video: Path) -> dict[str, Any]:
    """The dive of a list whose last line is beyond what the request reads, once it is over."""
    key = house.upload(video, "videos/reef/list/reef.mp4")
    body = "video\n" + "\n" * 30 + key
    house.connection.client("s3").put_object(
        Bucket=house.connection.data_bucket, Key="manifests/reef/list.csv", Body=body.encode()
    )
    house.api.submit("reef", {"manifest": f"s3://{house.connection.data_bucket}/manifests/reef/list.csv"})
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        (dive,) = [one for one in house.api.dives("reef") if one["job_name"] == "list"]
        if not dive["reading"] and not dive["waiting"]:
            return dict(dive)
        time.sleep(0.2)
    raise AssertionError(dive)


def _track_config(house: Any) -> str:
    key = "track-config/bytetrack.yaml"
    body = b"tracker_type: bytetrack\ntrack_buffer: 60\n"
    house.connection.client("s3").put_object(Bucket=house.connection.data_bucket, Key=key, Body=body)
    return f"s3://{house.connection.data_bucket}/{key}"


def test_the_deployment_becomes_ready(life: dict[str, Any]) -> None:
    assert life["ready"]["status"] == "READY", life["ready"]
    assert life["health"].status_code == 200


def test_the_video_is_tracked_and_the_missing_one_fails_with_its_reason(life: dict[str, Any]) -> None:
    tracked, missing = life["records"]
    assert (tracked["status"], tracked["frames"]) == ("SUCCEEDED", 60)
    assert missing["status"] == "FAILED"
    assert "gone.mp4" in missing["reason"]
    assert [path.name for path in life["archives"]] == ["reef.tracks.tar.gz"]


def test_a_list_of_videos_is_read_to_its_end(life: dict[str, Any]) -> None:
    assert (life["listed"]["succeeded"], life["listed"]["manifest"]["status"]) == (1, "DONE")
    assert life["listed"]["manifest"]["read"] == 32


def test_the_end_of_a_dive_is_mailed_once(life: dict[str, Any]) -> None:
    mails = [mail for mail in life["mail"] if mail["subject"] == "[shoal prod] dive: 1 of 2 videos tracked"]
    (told,) = mails
    assert "gone.mp4" in told["text"]


def test_the_endpoint_answers_boxes_for_an_image(life: dict[str, Any]) -> None:
    assert life["predicted"].status_code == 200, life["predicted"].text
    boxes = life["predicted"].json()["boxes"]
    assert {box["class_name"] for box in boxes} <= {"jelly", "fish", "larvacean"}
    assert boxes


def test_clean_removes_the_video_once_its_result_is_safe(life: dict[str, Any]) -> None:
    assert life["video_left"] == 0


def test_the_lists_name_what_there_is(house: Any, registered: int, life: dict[str, Any]) -> None:
    assert "reef" in [one["name"] for one in house.api.deployments()]
    assert "drifters" in [one["model"] for one in house.api.models()]
    assert house.api.model("drifters")["versions"][0]["version"] >= registered
    assert house.api.model_version("drifters", registered)["version"] == registered
    assert house.api.job("reef", life["records"][0]["job_id"])["status"] == "SUCCEEDED"


def test_the_mail_names_the_endpoint(life: dict[str, Any]) -> None:
    mails = [mail for mail in life["mail"] if "scientist@example.org" in mail["to"]]
    assert any(life["ready"]["endpoint"] in mail["text"] for mail in mails)
    assert any(life["ready"]["endpoint"] in mail["html"] for mail in mails)


def test_the_deletion_leaves_the_account_as_it_was(life: dict[str, Any]) -> None:
    assert life["deleted"]["status"] == "DELETED"
    assert life["after"] == life["before"]


def test_the_history_names_everything_that_was_made_and_removed(house: Any, life: dict[str, Any]) -> None:
    # When
    events = list(house.api.events("reef"))
    # Then
    made = [one["target"] for one in events if one["status"] == "MADE"]
    assert made == [f"{one['kind']} {one['name']}" for one in life["ready"]["resources"]]
    assert sorted(made) == sorted(one["target"] for one in events if one["status"] == "REMOVED")
    assert [one["status"] for one in events if one["target"] == "deployment"][-1] == "DELETED"
    assert any("tasks running" in one["reason"] for one in events if one["status"] == "WAITING")


def test_the_doctor_finds_nothing_in_a_healthy_account(house: Any, life: dict[str, Any]) -> None:
    assert (life["report"]["findings"], life["report"]["blind"]) == ([], [])
    assert house.api.doctor()["time"] >= life["report"]["time"]


def test_the_endpoint_refuses_after_the_deletion(life: dict[str, Any]) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{life['ready']['endpoint']}/health", timeout=5)


@pytest.mark.long
def test_an_endpoint_with_a_host_name_shares_the_https_listener(house: Any, registered: int) -> None:
    # Given
    before, port = house.account(), house.cloud.stand_ins
    host = {"Host": "kelp.shoal.localhost"}
    secure, plain = (f"http://127.0.0.1:{port[number]}/health" for number in (443, 80))
    # When
    ready = house.deploy("kelp", serves=["endpoint"], routing="host", model_version=registered)
    # Then
    assert (ready["status"], ready["endpoint"]) == ("READY", "https://kelp.shoal.localhost")
    assert requests.get(secure, headers=host, timeout=10).status_code == 200
    assert requests.get(secure, headers={"Host": "eel.shoal.localhost"}, timeout=10).status_code == 404
    led = requests.get(plain, headers=host, timeout=10, allow_redirects=False)
    assert (led.status_code, led.headers["Location"]) == (
        301,
        f"http://kelp.shoal.localhost:{port[443]}/health",
    )
    with pytest.raises(ApiProblem, match="belongs to kelp"):
        house.api.deploy(
            {"name": "eel", "registered_model": "drifters", "serves": ["endpoint"], "routing": "host",
             "host_name": "kelp.shoal.localhost"}
        )  # fmt: skip
    # When
    deleted = house.delete("kelp")
    # Then
    assert deleted["status"] == "DELETED"
    assert house.account() == before
    assert requests.get(secure, headers=host, timeout=10).status_code == 404


def test_a_service_that_never_becomes_stable_is_rolled_back(house: Any, registered: int) -> None:
    # Given
    before = house.account()
    house.cloud.faults.set("unstable", "crash")
    # When
    final = house.deploy(
        "unstable", routing="host", model_version=registered, notify=["operator@example.org"]
    )
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


@pytest.mark.long
def test_an_execution_that_is_stopped_from_outside_is_rolled_back(house: Any, registered: int) -> None:
    # Given a deployment in the middle: made, and waiting for an instance that never comes
    before = house.account()
    house.cloud.faults.set("stopped", "capacity")
    house.api.deploy(
        {"name": "stopped", "registered_model": "drifters", "serves": ["endpoint"],
         "model_version": registered, "notify": ["night@example.org"]}
    )  # fmt: skip
    _until(lambda: "capacity" in house.api.deployment("stopped")["reason"], "it says what it waits for")
    machine = house.connection.outputs["DeployStateMachine"]
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:stopped-r1-g1"
    # When
    house.connection.client("stepfunctions").stop_execution(executionArn=execution)
    # Then
    final = house.settled("stopped")
    assert (final["status"], house.account() - before) == ("FAILED", set())
    assert "its execution was stopped from outside" in final["reason"]
    assert "recovery" in {event["actor"] for event in house.api.events("stopped")}
    (mail,) = [mail for mail in house.cloud.mailbox() if "night@example.org" in mail["to"]]
    assert "stopped from outside" in mail["text"]


@pytest.fixture(scope="module")
def megadetector(house: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seed's stack file, with our account number and its objects in S3; the folder it lies in."""
    s3, account = house.connection.client("s3"), house.cloud.account
    location = {"LocationConstraint": house.cloud.region}
    for bucket, key in (("models", "Megadetector.pt"), ("track-conf", "strong_sort_benthic.yaml")):
        s3.create_bucket(Bucket=f"deepsea-ai-{account}-{bucket}", CreateBucketConfiguration=location)
        s3.put_object(Bucket=f"deepsea-ai-{account}-{bucket}", Key=key, Body=b"STRONGSORT:\n  MAX_AGE: 30\n")
    onnx = str(shoal_detector.model_path())
    s3.upload_file(onnx, f"deepsea-ai-{account}-models", "Megadetector.onnx")
    folder = tmp_path_factory.mktemp("seed")
    (folder / "megadetector.yaml").write_text(SEED.replace("168552337187", account))
    house.cloud.write_state(folder / ".shoal" / "local.json")
    return folder


def _shoal(folder: Path, *words: str) -> str:
    """Run the command as a person does; its output."""
    command = [sys.executable, "-m", "shoal_cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_stack_file_of_the_seeds_lives_from_zero_to_zero(
    house: Any, megadetector: Path, video: Path
) -> None:
    # Given
    before = house.account()
    # When
    said = _shoal(megadetector, "deploy", "megadetector.yaml", "stacks/megadetector")
    # Then
    assert "BlockDeviceVolumeGBRoot: 10 -> 30" in said
    assert json.loads((megadetector / "stacks/megadetector/resources.json").read_text())
    assert _desired(house) == 0  # no video, no instance
    # When
    said = _shoal(megadetector, "process", str(video), "--cluster", "megadetector", "--job", "dive", "--wait")
    # Then
    assert "SUCCEEDED" in said
    _until(lambda: _desired(house) == 0, "the fleet goes back to nothing")
    _until(lambda: not _instances(house), "its empty instance is reaped")
    _shoal(megadetector, "results", "megadetector", "--output", "tracks")
    assert [path.name for path in (megadetector / "tracks").rglob("*.tar.gz")] == ["reef.tracks.tar.gz"]
    # When
    said = _shoal(megadetector, "delete", "megadetector")
    # Then
    assert "DELETED" in said
    assert house.account() == before


@pytest.mark.long
def test_a_deletion_in_the_middle_of_a_video_leaves_nothing(
    house: Any, registered: int, tmp_path: Path
) -> None:
    # Given
    before = house.account()
    house.deploy("busy", serves=["queue"], model_version=registered)
    key = "videos/busy/long.mp4"
    house.connection.client("s3").upload_file(
        str(write_video(tmp_path / "long.mp4", 6000, size=640)), house.connection.data_bucket, key
    )
    # by its upload alone
    _until(lambda: "RUNNING" in [one["status"] for one in house.api.jobs("busy")], "a worker takes the video")
    # When
    final = house.delete("busy")
    # Then
    assert final["status"] == "DELETED"
    assert house.account() == before


def _instances(house: Any) -> list[Any]:
    groups = house.connection.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=["shoal-prod-megadetector"]
    )
    return list(groups["AutoScalingGroups"][0]["Instances"])


def _desired(house: Any) -> int:
    services = house.connection.client("ecs").describe_services(
        cluster="shoal-prod-megadetector", services=["shoal-prod-megadetector"]
    )
    return int(services["services"][0]["desiredCount"])


def _until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


@pytest.mark.long
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
        house.api.deploy({"name": "twice", "registered_model": "drifters", "serves": ["endpoint"]})
    assert house.delete("twice")["status"] == "DELETED"


def test_no_call_was_denied(house: Any) -> None:
    """Last in this file: it looks back. Which grants nothing used, `make grants` asks of all clouds."""
    report = house.cloud.iam_report()
    assert {role: entry["denied"] for role, entry in report.items() if entry["denied"]} == {}


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
