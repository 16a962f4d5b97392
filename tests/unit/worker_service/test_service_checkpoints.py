"""Checkpoints in a bucket: stored, read, removed; a fault of S3 is worth another attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from shoal_worker.checkpoint import MANIFEST, open_checkpoint
from shoal_worker.service.checkpoints import BucketStore, checkpoint_prefix, clear
from shoal_worker.service.errors import Transient


def store_in(client: Any, bucket: str = "tracks-bucket") -> BucketStore:
    return BucketStore(client, bucket, checkpoint_prefix("videos/reef/a/dive.mp4"))


def test_a_file_is_stored_read_and_removed(clients: dict[str, Any]) -> None:
    store = store_in(clients["s3"])
    assert store.read("x") is None
    store.write("x", b"seen")
    listed = clients["s3"].list_objects_v2(Bucket="tracks-bucket")["Contents"]
    assert [item["Key"] for item in listed] == ["checkpoints/reef/a/dive.tracks.tar.gz/x"]
    assert store.read("x") == b"seen"
    store.remove("x")
    store.remove("x")
    assert store.read("x") is None


@pytest.mark.parametrize(
    "work",
    [lambda store: store.read("x"), lambda store: store.write("x", b""), lambda store: store.remove("x")],
    ids=["read", "write", "remove"],
)
def test_a_fault_is_worth_another_attempt(
    work: Callable[[BucketStore], object], clients: dict[str, Any]
) -> None:
    with pytest.raises(Transient, match=r"s3://no-such-bucket/checkpoints/reef/a/.*NoSuchBucket"):
        work(store_in(clients["s3"], "no-such-bucket"))


def test_a_checkpoint_that_cannot_be_removed_stays(
    clients: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # Given a result that is stored
    checkpoint = open_checkpoint(store_in(clients["s3"]), {}, "now", 1)
    clear(checkpoint, "j1")
    assert store_in(clients["s3"]).read(MANIFEST) is None
    # When S3 fails to remove, Then that is no fault of the job
    checkpoint.store = store_in(clients["s3"], "no-such-bucket")
    clear(checkpoint, "j1")
    assert "the checkpoint stays" in caplog.text
