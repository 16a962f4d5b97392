"""A manifest: taken on at once, read to its end whatever happens in between, each line once."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rest_world import World, desired, load_app, move
from shoal import fleet, table
from shoal.aws import client
from shoal.contracts.job import tally_key
from shoal.contracts.status import DeploymentStatus
from shoal.errors import Retryable
from shoal.jobs import manifest_source, manifests, store
from shoal.notify import Mail
from shoal_local import strict

BUCKET, KEY = "shoal-data", "manifests/reef/D1.csv"


@pytest.fixture(autouse=True)
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TRANSACTION", 3)


def listed(world: World, text: str, key: str = KEY) -> None:
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())


def videos(world: World, count: int, folder: str = "D1") -> list[str]:
    keys = [f"videos/reef/{folder}/{number:03d}.mp4" for number in range(count)]
    world.upload(*keys)
    return keys


def submit(world: World, key: str = KEY, **more: Any) -> Any:
    return world.call("POST", "/deploy/reef/jobs", {"manifest": f"s3://{BUCKET}/{key}", **more})


def read_on(milliseconds: int = 900_000) -> None:
    """The function's call, with so much of its time left at each look."""
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
    load_app("manifest_intake").lambda_handler({}, context)
    release()


def release() -> None:
    """The reader's claim has run out."""
    for item in table.query("DEPLOYMENT#reef", "MANIFEST#"):
        table.write(table.update({"pk": item["pk"], "sk": item["sk"]}, {"lease_until": 0}))


def dive(world: World, name: str = "D1") -> dict[str, Any]:
    return next(
        one for one in world.call("GET", "/deploy/reef/dives").body["dives"] if one["job_name"] == name
    )


def recorded() -> list[str]:
    return [str(item["video"]) for item in table.query("DEPLOYMENT#reef", "JOB#")]


def test_a_list_is_taken_on_at_once_and_read_to_its_end(world: World) -> None:
    # Given more lines than one transaction records
    world.ready("reef", fleet_size=9)
    keys = videos(world, 7)
    listed(world, "video,user_name\n" + "\n".join(f"{key},rov" for key in keys))
    # When
    answer = submit(world, args="--iou=0.5")
    # Then the first lines are jobs already and have woken workers
    taken = answer.body["manifest"]
    assert (answer.status, answer.headers["Location"]) == (202, "/prod/deploy/reef/dives")
    assert (taken["status"], taken["lines"], taken["read"], taken["job_name"]) == ("READING", 8, 3, "D1")
    assert desired("reef") == 2
    assert (dive(world)["reading"], dive(world)["submitted"]) == (True, 2)
    # When
    read_on()
    # Then
    found = dive(world)
    assert (found["reading"], found["submitted"], found["manifest"]["status"]) == (False, 7, "DONE")
    assert {name: found["manifest"][name] for name in ("read", "new", "known", "missing", "malformed")} == {
        "read": 8, "new": 7, "known": 0, "missing": 0, "malformed": 0,
    }  # fmt: skip
    assert recorded() == keys  # in their order
    (job, *_) = world.call("GET", "/deploy/reef/jobs").body["jobs"]
    assert (job["user_name"], job["job_name"]) == ("rov", "D1")
    assert "--iou=0.5" in table.query("DEPLOYMENT#reef", "FEED#")[-1]["body"]
    assert (table.read(tally_key("reef")) or {})["submitted"] == 7


def test_a_list_with_much_metadata_is_recorded_a_few_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more than DynamoDB takes in one transaction
    monkeypatch.setattr(store, "TRANSACTION", 30)
    world.ready("reef")
    keys = videos(world, 26)
    listed(world, "\n".join(keys))
    # When its limit of 4 MB is kept
    with strict.installed():
        submit(world, metadata={"note": "x" * 65_000})
        read_on()
    # Then
    found = dive(world)["manifest"]
    assert (found["status"], found["read"], found["new"]) == ("DONE", 26, 26)
    assert recorded() == keys


def test_a_list_without_an_end_of_line_or_header_or_with_windows_ends(world: World) -> None:
    world.ready("reef")
    keys = videos(world, 3)
    listed(world, "\ufeff" + "\r\n".join(keys))
    answer = submit(world)
    assert answer.body["manifest"]["status"] == "DONE"
    assert recorded() == keys


def test_malformed_lines_are_named_and_the_others_done(world: World) -> None:
    # Given
    world.ready("reef")
    (good, again) = videos(world, 2)
    objects = [
        {"video": good}, "{", {"video": f"s3://other/{good}"}, "", {"video": "videos/reef/x.txt"},
        {"video": good}, {"video": "videos/reef/gone.mp4"}, {"video": again, "colour": 1},
    ]  # fmt: skip
    listed(world, "\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects))
    # When
    submit(world)
    read_on()
    # Then
    found = dive(world)["manifest"]
    assert (found["status"], found["read"]) == ("DONE", 8)
    assert (found["new"], found["known"], found["missing"], found["malformed"]) == (1, 1, 1, 4)
    assert [one["line"] for one in found["wrong"]] == [2, 3, 5, 8]
    assert "bucket other is another" in found["wrong"][1]["detail"]
    assert (dive(world)["submitted"], dive(world)["failed"], dive(world)["waiting"]) == (2, 1, 1)


def test_a_video_that_one_transaction_names_twice_is_one_job(world: World) -> None:
    world.ready("reef")
    (only,) = videos(world, 1)
    listed(world, f"{only}\n{only}\n")
    taken = submit(world).body["manifest"]
    assert (taken["new"], taken["known"], recorded()) == (1, 1, [only])


def test_only_the_first_malformed_lines_are_named(world: World) -> None:
    world.ready("reef")
    listed(world, "{}\n" * 24)
    submit(world)
    read_on()
    found = dive(world)["manifest"]
    assert (found["malformed"], len(found["wrong"]), found["wrong"][-1]["line"]) == (24, 20, 20)


@pytest.mark.parametrize("again", ["while it is read", "when it is done"])
def test_the_same_list_again_changes_nothing(world: World, again: str) -> None:
    # Given
    world.ready("reef")
    keys = [*videos(world, 4), "videos/reef/gone.mp4"]
    listed(world, "\n".join(keys))
    first = submit(world).body["manifest"]
    if again == "when it is done":
        read_on()
    # When
    second = submit(world).body["manifest"]
    read_on()
    # Then
    assert second["manifest_id"] == first["manifest_id"]
    assert recorded() == keys
    assert (dive(world)["submitted"], dive(world)["failed"]) == (5, 1)


def test_a_changed_list_is_another_one_of_the_same_dive(world: World) -> None:
    # Given
    world.ready("reef")
    keys = videos(world, 4)
    listed(world, "\n".join(keys[:3]))
    submit(world)
    # When
    listed(world, "\n".join(keys))
    submit(world)
    read_on()
    # Then
    found = dive(world)["manifest"]
    assert (found["new"], found["known"], dive(world)["submitted"]) == (1, 3, 4)


def test_force_does_all_of_it_again(world: World) -> None:
    world.ready("reef")
    listed(world, "\n".join(videos(world, 2)))
    submit(world)
    taken = submit(world, force=True).body["manifest"]
    assert (taken["new"], dive(world)["submitted"]) == (2, 4)


def stopping_after(calls: int) -> Callable[..., Any]:
    """As a function that dies: that many transactions are done, the next one is not."""
    record, left = store.record_batch, [calls]

    def dying(*given: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("killed")
        return record(*given)

    return dying


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_reader_that_dies_is_followed_by_another_one(
    world: World, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    # Given four transactions of lines, one of them done by the request
    world.ready("reef")
    keys = [*videos(world, 9), "videos/reef/gone.mp4"]
    listed(world, "\n".join(keys))
    submit(world)
    record = store.record_batch
    monkeypatch.setattr(store, "record_batch", stopping_after(done))
    # When
    with pytest.raises(RuntimeError, match="killed"):
        read_on()
    assert dive(world)["submitted"] == 3 * (1 + done)
    monkeypatch.setattr(store, "record_batch", record)
    release()
    read_on()
    # Then each line is there once
    assert recorded() == keys
    assert (dive(world)["submitted"], dive(world)["failed"]) == (10, 1)


def test_two_readers_at_once_record_each_line_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a reader that is overtaken by another one before its transaction, which goes on to no end either
    world.ready("reef")
    keys = [*videos(world, 4), "videos/reef/gone.mp4", "videos/reef/lost.mp4", *videos(world, 4, "D2")]
    listed(world, "\n".join(keys))
    submit(world)
    record = store.record_batch

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(store, "record_batch", record)
        release()
        read_on(milliseconds=59_000)
        return record(*given)

    monkeypatch.setattr(store, "record_batch", overtaken)
    # When
    read_on()
    assert len(recorded()) == 6
    read_on()
    # Then
    assert recorded() == keys
    assert (dive(world)["submitted"], dive(world)["failed"], dive(world)["reading"]) == (10, 2, False)


def test_workers_that_end_jobs_meanwhile_are_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a transaction that meets another one twice
    world.ready("reef")
    keys = videos(world, 3)
    listed(world, "\n".join(keys))
    record, pauses = store.record_batch, []

    def busy(*given: Any) -> Any:
        if len(pauses) < 2:
            raise Retryable("another transaction holds the deployment")
        return record(*given)

    monkeypatch.setattr(store, "record_batch", busy)
    monkeypatch.setattr("shoal.jobs.manifest_reader.time.sleep", pauses.append)
    # When
    taken = submit(world).body["manifest"]
    # Then
    assert (taken["status"], pauses) == ("DONE", [0.05, 0.1])
    assert recorded() == keys


def test_it_stops_in_time_and_goes_on_with_the_next_call(world: World) -> None:
    world.ready("reef")
    keys = videos(world, 10)
    listed(world, "\n".join(keys))
    submit(world)
    read_on(milliseconds=59_000)
    assert len(recorded()) == 6
    read_on()
    assert recorded() == keys


def test_a_list_that_is_replaced_while_it_is_read_is_given_up(world: World) -> None:
    # Given
    world.ready("reef")
    keys = videos(world, 4)
    listed(world, "\n".join(keys))
    submit(world)
    # When
    listed(world, "another one")
    read_on()
    # Then what was recorded stays
    found = dive(world)
    assert (found["manifest"]["status"], found["submitted"], found["reading"]) == ("FAILED", 3, False)
    assert "it was replaced while it was read: submit it again" in found["manifest"]["reason"]


def test_a_cancelled_dive_is_not_read_on(world: World) -> None:
    world.ready("reef")
    listed(world, "\n".join(videos(world, 4)))
    submit(world)
    answer = world.call("POST", "/deploy/reef/cancel", {"job_name": "D1"})
    read_on()
    assert answer.body["changed"] == 3
    assert (dive(world)["manifest"]["status"], dive(world)["submitted"]) == ("CANCELLED", 3)


def test_a_deployment_that_goes_takes_its_lists_with_it(world: World) -> None:
    world.ready("reef")
    listed(world, "\n".join(videos(world, 4)))
    submit(world)
    move("reef", 1, DeploymentStatus.DELETING)
    read_on()
    found = manifests.find("reef", dive(world)["manifest"]["manifest_id"])
    assert found is not None
    assert (found.status, found.reason) == ("FAILED", "reef is DELETING")


def test_its_dive_is_over_when_it_is_read_and_told_with_what_was_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a list whose first jobs have ended before the others were read
    mails: list[Mail] = []
    monkeypatch.setattr("shoal.notify.once.deliver", lambda deployment, composed: mails.append(composed()))
    world.ready("reef")
    listed(world, "\n".join(["videos/reef/gone.mp4"] * 3 + ["no video"]))
    submit(world)
    fleet.reconcile()
    assert mails == []
    # When
    read_on()
    fleet.reconcile()
    # Then
    (mail,) = mails
    assert "s3://shoal-data/manifests/reef/D1.csv: DONE, 4 of 4 lines read, 1 malformed" in mail.text
    assert "line 4: give a key such as videos/" in mail.text


@pytest.mark.parametrize(
    ("uri", "body", "status", "says"),
    [
        ("s3://shoal-data/manifests/reef/none.csv", None, 422, "does not exist: upload it"),
        ("s3://shoal-data/manifests/reef/empty.csv", "", 422, "is empty"),
        ("s3://other/manifests/reef/D1.csv", None, 422, "upload it to s3://shoal-data/manifests/"),
        ("s3://shoal-data/videos/reef/D1.csv", "a", 422, "upload it to s3://shoal-data/manifests/"),
        ("s3://shoal-data/manifests/reef/bad.csv", "video,colour\n", 422, "its first line names colour"),
        (
            "s3://shoal-data/manifests/reef/long.csv",
            "a\n" * 6,
            413,
            "6 lines; split it into manifests of 5",
        ),
        (
            "s3://shoal-data/manifests/reef/fat.csv",
            "a" * 41,
            413,
            "41 bytes; split it into manifests of 40",
        ),
        ("not a uri", None, 422, "should match pattern"),
    ],
)
def test_a_list_that_cannot_be_taken_on_is_refused_whole(
    world: World, monkeypatch: pytest.MonkeyPatch, uri: str, body: str | None, status: int, says: str
) -> None:
    # Given
    world.ready("reef")
    monkeypatch.setattr(manifest_source, "MAXIMUM_LINES", 5)
    monkeypatch.setattr(manifest_source, "MAXIMUM_BYTES", 40)
    if body is not None:
        listed(world, body, uri.split("/", 3)[3])
    # When
    answer = world.call("POST", "/deploy/reef/jobs", {"manifest": uri})
    # Then
    assert answer.status == status
    assert says in str(answer.body)
    assert world.call("GET", "/deploy/reef/dives").body["dives"] == []


def test_videos_and_a_list_are_not_both_given(world: World) -> None:
    world.ready("reef")
    both = {"videos": ["videos/reef/a.mp4"], "manifest": f"s3://{BUCKET}/{KEY}"}
    for body in (both, {}, {"videos": []}):
        answer = world.call("POST", "/deploy/reef/jobs", body)
        assert answer.status == 422
        assert "videos or manifest: name one" in answer.body["errors"][0]["detail"]


def test_the_function_is_called_for_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    calls: list[dict[str, Any]] = []
    fake = SimpleNamespace(invoke=lambda **given: calls.append(given))
    real = manifests.client
    monkeypatch.setattr(manifests, "client", lambda name: fake if name == "lambda" else real(name))
    monkeypatch.setattr(
        manifests, "settings", lambda: SimpleNamespace(manifest_function="shoal-dev-manifest-intake")
    )
    world.ready("reef")
    listed(world, "\n".join(videos(world, 4)))
    # When
    submit(world)
    # Then
    (call,) = calls
    assert (call["FunctionName"], call["InvocationType"]) == ("shoal-dev-manifest-intake", "Event")
    # And not for a list that is over
    calls.clear()
    read_on()
    submit(world)
    assert calls == []
