"""Whole objects in, whole objects out; models by ETag."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.response import StreamingBody
from shoal_worker.service import parts as parts_module
from shoal_worker.service import storage as storage_module
from shoal_worker.service.errors import (
    JobRejected,
    ModelUnavailable,
    Overtaken,
    Stopped,
    Transient,
    VideoMissing,
)
from shoal_worker.service.model_source import fetch, fetch_model
from shoal_worker.service.storage import Storage


def silent(done: int, total: int) -> None:
    """An observer that looks away."""


@pytest.fixture
def s3(clients: dict[str, Any]) -> Any:
    return clients["s3"]


def test_a_download_is_whole_and_tells_its_progress(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(storage_module, "CHUNK_BYTES", 4)
    s3.put_object(Bucket="videos-bucket", Key="a.mp4", Body=b"0123456789")
    seen: list[tuple[int, int]] = []
    # When
    size = Storage(s3).download("videos-bucket", "a.mp4", tmp_path / "a.mp4", lambda *step: seen.append(step))
    # Then
    assert size == 10
    assert (tmp_path / "a.mp4").read_bytes() == b"0123456789"
    assert seen == [(0, 10), (4, 10), (8, 10), (10, 10)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_absent_video_is_permanent(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(VideoMissing, match="does not exist: upload it"):
        Storage(s3).download("videos-bucket", "absent.mp4", tmp_path / "a", silent)


class Short:
    """S3 that ends an object early, or refuses."""

    def __init__(self, answer: Exception | None = None) -> None:
        self._answer = answer

    def get_object(self, **_: object) -> dict[str, Any]:
        if self._answer:
            raise self._answer
        return {"ContentLength": 10, "Body": StreamingBody(io.BytesIO(b"12345"), None)}

    head_object = get_object

    def put_object(self, **_: object) -> None:
        assert self._answer
        raise self._answer

    def delete_object(self, **_: object) -> None:
        assert self._answer
        raise self._answer


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    "fault",
    [None, refusal("SlowDown"), refusal("AccessDenied"), EndpointConnectionError(endpoint_url="http://s3")],
)
def test_every_other_fault_is_worth_another_attempt(fault: Exception | None, tmp_path: Path) -> None:
    with pytest.raises(Transient):
        Storage(Short(fault)).download("b", "k", tmp_path / "a", silent)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "fault", [refusal("InternalError"), EndpointConnectionError(endpoint_url="http://s3")]
)
def test_writing_and_deleting_faults_are_transient(fault: Exception, tmp_path: Path) -> None:
    store = Storage(Short(fault))
    (tmp_path / "a").write_bytes(b"result")
    with pytest.raises(Transient):
        store.replace(tmp_path / "a", "b", "k", None)
    with pytest.raises(Transient):
        store.remove("b", "k")
    with pytest.raises(Transient):
        store.etag("b", "k")


@pytest.mark.parametrize(
    ("parts", "there", "before", "written"),
    [
        (1, None, None, True),
        (1, "old", "old", True),
        (1, "other", None, False),  # somebody was first
        (1, "other", "old", False),  # somebody replaced it
        (1, None, "old", False),  # somebody removed it
        (2, None, None, True),
        (2, "old", "old", True),
        (2, "other", None, False),  # moto does not look at If-Match at the end of a multipart upload
    ],
)
def test_only_the_known_object_is_replaced(
    parts: int, there: str | None, before: str | None, written: bool,
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # Given
    for module in (storage_module, parts_module):
        monkeypatch.setattr(module, "PART_BYTES", 6 << 20)
    body = b"result" * (1 << 20 if parts == 2 else 1)
    (tmp_path / "a").write_bytes(body + b"!")
    s3.put_object(Bucket="tracks-bucket", Key="old", Body=b"old")
    etag = Storage(s3).etag("tracks-bucket", "old") if before else None
    if there:
        s3.put_object(Bucket="tracks-bucket", Key="k", Body=there.encode())
    # When
    store = Storage(s3)
    if written:
        store.replace(tmp_path / "a", "tracks-bucket", "k", etag)
    else:
        with pytest.raises(Overtaken):
            store.replace(tmp_path / "a", "tracks-bucket", "k", etag)
    # Then
    found = s3.list_objects_v2(Bucket="tracks-bucket", Prefix="k").get("Contents", [])
    assert [one["Size"] for one in found] == ([len(body) + 1] if written else [len(there)] if there else [])
    assert not s3.list_multipart_uploads(Bucket="tracks-bucket").get("Uploads")


def test_a_video_larger_than_the_disk_is_permanent(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_module, "SPARE_BYTES", 1 << 62)
    s3.put_object(Bucket="videos-bucket", Key="a.mp4", Body=b"x")
    with pytest.raises(JobRejected, match="root_volume_gib"):
        Storage(s3).download("videos-bucket", "a.mp4", tmp_path / "a", silent)


def test_an_observer_ends_a_download(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="videos-bucket", Key="a.mp4", Body=b"x")

    def stop(done: int, total: int) -> None:
        raise Stopped("now")

    with pytest.raises(Stopped):
        Storage(s3).download("videos-bucket", "a.mp4", tmp_path / "a", stop)


def test_a_model_is_fetched_once_per_etag(s3: Any, tmp_path: Path) -> None:
    # Given
    store, place = Storage(s3), "s3://tracks-bucket/models/reef.onnx"
    s3.put_object(Bucket="tracks-bucket", Key="models/reef.onnx", Body=b"one")
    # When
    first = fetch_model(place, tmp_path, store)
    stamp = first.stat().st_mtime_ns
    again = fetch_model(place, tmp_path, store)
    s3.put_object(Bucket="tracks-bucket", Key="models/reef.onnx", Body=b"two")
    newer = fetch_model(place, tmp_path, store)
    # Then
    assert (again, again.stat().st_mtime_ns) == (first, stamp)
    assert (first.read_bytes(), newer.read_bytes(), newer.name) == (b"one", b"two", "reef.onnx")


def test_an_onnx_beside_a_pt_is_taken(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="tracks-bucket", Key="m/Megadetector.pt", Body=b"pickle")
    s3.put_object(Bucket="tracks-bucket", Key="m/Megadetector.onnx", Body=b"graph")
    path = fetch_model("s3://tracks-bucket/m/Megadetector.pt", tmp_path, Storage(s3))
    assert (path.name, path.read_bytes()) == ("Megadetector.onnx", b"graph")


@pytest.mark.parametrize(
    ("location", "advice"),
    [
        ("s3://tracks-bucket/m/Megadetector.pt", "python export.py --weights Megadetector.pt --include onnx"),
        ("s3://tracks-bucket/m/Megadetector.pt", "yolo export model=Megadetector.pt format=onnx"),
        ("s3://tracks-bucket/m/absent.onnx", "does not exist: upload it"),
        ("/nowhere/a.onnx", "give an s3:// URI or a path"),
        ("/nowhere/a.keras", "export it to ONNX"),
    ],
)
def test_a_model_that_cannot_be_used_says_what_to_do(
    location: str, advice: str, s3: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable) as raised:
        fetch_model(location, tmp_path, Storage(s3))
    assert advice in raised.value.reason


def test_a_track_configuration_is_fetched_whatever_its_suffix(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="tracks-bucket", Key="c/strong_sort.yaml", Body=b"STRONGSORT: {}")
    assert (
        fetch("s3://tracks-bucket/c/strong_sort.yaml", tmp_path, Storage(s3)).read_bytes()
        == b"STRONGSORT: {}"
    )
