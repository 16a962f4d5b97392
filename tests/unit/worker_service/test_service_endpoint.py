"""The HTTP face over a real socket on loopback, with a real (tiny) model."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from shoal_worker.service import endpoint as endpoint_module
from shoal_worker.service import inference as inference_module
from shoal_worker.service import limits, uploads
from shoal_worker.service.endpoint import ServiceState, create_app
from shoal_worker.service.inference import SharedModel, load_shared_model
from shoal_worker.service.progress import Activity
from shoal_worker.service.server import HttpServer, open_socket
from shoal_worker.service.settings import read_settings
from worker_fixtures import write_bright_box_model, write_video

URCHIN = {"x": 8.0, "y": 12.0, "width": 32.0, "height": 40.0, "class_id": 0, "class_name": "urchin"}


def picture(value: int = 230) -> bytes:
    return bytes(cv2.imencode(".png", np.full((64, 64, 3), value, np.uint8))[1])


def sized(width: int, height: int) -> bytes:
    """The picture with another size in its header, whose checksum is right."""
    head = b"IHDR" + struct.pack(">II", width, height) + picture()[24:29]
    return picture()[:12] + head + struct.pack(">I", zlib.crc32(head)) + picture()[33:]


def animated() -> bytes:
    """An animated WebP whose first picture is that of :func:`picture`."""
    film = cv2.Animation()
    film.frames = [np.full((64, 64, 3), value, np.uint8) for value in (230, 10, 90)]
    film.durations = [40] * 3
    return bytes(cv2.imencodeanimation(".webp", film)[1])


@dataclass
class Face:
    url: str
    state: ServiceState

    def post(self, **request: Any) -> requests.Response:
        return requests.post(f"{self.url}/predict", timeout=20, **request)


@contextlib.contextmanager
def serving(state: ServiceState) -> Iterator[Face]:
    listener = open_socket("127.0.0.1", 0)
    server = HttpServer(create_app(state), listener)
    server.start()
    try:
        yield Face(f"http://127.0.0.1:{listener.getsockname()[1]}", state)
    finally:
        server.stop(5)
        assert not server.is_alive()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SharedModel:
    path = write_bright_box_model(tmp_path_factory.mktemp("model") / "bright.onnx")
    return load_shared_model(path, None, _settings(path))


def _settings(path: Path) -> Any:
    given = {"SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": str(path), "SHOAL_SERVES": "endpoint"}
    return read_settings(given | {"SHOAL_ARGS": "--conf-thres=0.3"})


@pytest.fixture(scope="module")
def face(model: SharedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Face]:
    state = ServiceState(Activity(), tmp_path_factory.mktemp("scratch"), {"deployment": "reef"})
    state.ready(model)
    with serving(state) as served:
        yield served


def test_health_tells_why_it_is_not_ready(tmp_path: Path, model: SharedModel) -> None:
    # Given a worker whose model is still loaded
    state = ServiceState(Activity(), tmp_path, {"deployment": "reef"})
    with serving(state) as face:
        # When
        before = requests.get(f"{face.url}/health", timeout=5)
        refused = face.post(data=picture(), headers={"Content-Type": "image/png"})
        empty = requests.get(f"{face.url}/status", timeout=5).json()
        state.ready(model)
        after = requests.get(f"{face.url}/health", timeout=5)
    # Then
    assert (before.status_code, after.status_code) == (503, 200)
    assert "being loaded" in before.json()["reason"]
    assert (refused.status_code, refused.headers["Retry-After"], refused.json()["code"]) == (
        503,
        "2",
        "not-ready",
    )
    assert (empty["ready"], empty["model"]) == (False, None)


def test_status_describes_the_model_and_the_work(face: Face, model: SharedModel) -> None:
    face.state.activity.show({"job": "j1", "done": 3})
    status = requests.get(f"{face.url}/status", timeout=5).json()
    face.state.activity.show(None)
    about = model.detector.model
    assert status["model"] == {"name": "bright.onnx", "sha256": about.sha256, "classes": 1, "input": [64, 64]}
    assert (status["backend"], status["deployment"], status["ready"]) == (
        "CPUExecutionProvider",
        "reef",
        True,
    )
    assert status["current"] == {"job": "j1", "done": 3}
    assert set(status["counts"]) == {"succeeded", "failed", "retried", "released", "predictions"}
    assert status["uptime_seconds"] >= 0


@pytest.mark.parametrize(
    "request_",
    [
        {"files": {"image": ("frame.png", picture(), "image/png")}},
        {"json": {"image_b64": base64.b64encode(picture()).decode()}},
        {"data": picture(), "headers": {"Content-Type": "image/png"}},
        {"data": picture(), "headers": {"Content-Type": "application/octet-stream"}},
        {"data": animated(), "headers": {"Content-Type": "image/webp"}},
    ],
    ids=["multipart", "json", "raw", "octets", "animated"],
)
def test_an_image_in_any_form_gets_its_boxes(request_: dict[str, Any], face: Face) -> None:
    answer = face.post(**request_)
    body = answer.json()
    confidence = body["boxes"][0].pop("confidence")
    assert (answer.status_code, body["boxes"], body["model"]) == (200, [URCHIN], "bright.onnx")
    assert (body["width"], body["height"]) == (64, 64)
    assert confidence == pytest.approx(230 / 255, abs=0.01)
    assert body["milliseconds"] > 0


def test_an_empty_sea_has_no_boxes(face: Face) -> None:
    answer = face.post(data=picture(value=10), headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["boxes"]) == (200, [])


def test_a_short_video_gets_its_tracks(face: Face, tmp_path: Path) -> None:
    # When
    video = write_video(tmp_path / "clip.mp4", 6)
    answer = face.post(files={"video": ("clip.mp4", video.read_bytes(), "video/mp4")})
    # Then
    body = answer.json()
    (track,) = body["tracks"]
    boxes = track.pop("boxes")
    assert (answer.status_code, body["frames"], body["width"], body["fps"]) == (200, 6, 64, 30.0)
    assert (track["class_name"], track["first_frame"], track["last_frame"]) == ("urchin", 1, 6)
    assert [box["frame"] for box in boxes] == [1, 2, 3, 4, 5, 6]
    assert (boxes[0]["x"], boxes[0]["width"]) == (pytest.approx(8, abs=0.1), pytest.approx(32, abs=0.1))
    assert list(face.state.scratch.iterdir()) == []


TYPE = "Content-Type"


@pytest.mark.parametrize(
    ("request_", "status", "word"),
    [
        ({"data": b"x", "headers": {TYPE: "text/plain"}}, 415, "multipart/form-data"),
        ({"data": b""}, 415, "multipart/form-data"),
        ({"data": b"{", "headers": {TYPE: "application/json"}}, 400, "not JSON"),
        ({"data": b"[" * 100_000, "headers": {TYPE: "application/json"}}, 400, "not JSON"),
        ({"json": [1]}, 400, "image_b64 is missing"),
        ({"json": {"image_b64": 5}}, 400, "image_b64 is missing"),
        ({"json": {"image_b64": "%%%"}}, 400, "not base64"),
        ({"json": {"image_b64": "\u00e9"}}, 400, "not base64"),
        ({"json": {"image_b64": ""}}, 400, "empty"),
        ({"data": b"", "headers": {TYPE: "image/png"}}, 400, "empty"),
        ({"data": b"GIF89a" + bytes(99), "headers": {TYPE: "image/gif"}}, 415, "PNG, JPEG, WebP or BMP"),
        ({"data": picture()[:60], "headers": {TYPE: "image/png"}}, 422, "damaged"),
        ({"data": sized(50_000, 50_000), "headers": {TYPE: "image/png"}}, 413, "scale it down"),
        ({"data": sized(64, 65), "headers": {TYPE: "image/png"}}, 422, "damaged"),
        ({"files": {"picture": ("a.png", picture())}}, 400, "file named image or video"),
        ({"data": {"image": "text"}, "files": {"other": b"x"}}, 400, "file named image or video"),
        ({"data": b"--x", "headers": {TYPE: "multipart/form-data"}}, 400, "boundary"),
        ({"files": [("image", b"1"), ("image", b"2")]}, 400, "Too many files"),
        ({"files": {"video": ("a.mp4", b"no video at all")}}, 422, "not a video"),
        (
            {"files": {"video": ("../../a.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n")}},
            422,
            "not a video",
        ),
    ],
)
def test_a_bad_request_gets_a_problem_that_helps(
    request_: dict[str, Any], status: int, word: str, face: Face
) -> None:
    answer = face.post(**request_)
    body = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert word in body["detail"]
    assert (body["status"], body["type"]) == (status, f"urn:shoal:problem:{body['code']}")
    assert list(face.state.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("POST", "/health", 405), ("GET", "/docs", 404)],
)
def test_other_paths_and_methods_are_problems_too(method: str, path: str, status: int, face: Face) -> None:
    answer = requests.request(method, face.url + path, timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert "/predict" in answer.json()["detail"]


def test_a_declared_length_is_refused_before_it_is_read(face: Face) -> None:
    # Given a client that announces 10 GB
    host, _, port = face.url.removeprefix("http://").partition(":")
    head = (
        "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 10000000000\r\n\r\n"
    )
    # When
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(head.encode())
        answer = raw.recv(400).decode()
    # Then
    assert answer.startswith("HTTP/1.1 413")
    assert "application/problem+json" in answer


def test_a_body_that_grows_past_the_limit_is_cut(model: SharedModel, tmp_path: Path) -> None:
    # Given chunks without a length, against a limit of 1000 bytes
    state = ServiceState(Activity(), tmp_path, {})
    state.ready(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint_module, "MAXIMUM_BODY_BYTES", 1000)
        with serving(state) as face:
            chunks = (bytes(200) for _ in range(50))
            answer = face.post(data=chunks, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("MAXIMUM_IMAGE_BYTES", {"files": {"image": ("a.png", picture())}}),
        ("MAXIMUM_IMAGE_BYTES", {"data": picture(), "headers": {TYPE: "image/png"}}),
        ("MAXIMUM_VIDEO_BYTES", {"files": {"video": ("a.mp4", bytes(2000))}}),
    ],
)
def test_each_kind_has_its_limit(
    name: str, request_: dict[str, Any], face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, name, 50)
    answer = face.post(**request_)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_a_long_video_is_sent_to_the_queue(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference_module, "MAXIMUM_VIDEO_FRAMES", 5)
    video = write_video(tmp_path / "clip.mp4", 6)
    answer = face.post(files={"video": ("clip.mp4", video.read_bytes())})
    assert (answer.status_code, "use the queue" in answer.json()["detail"]) == (413, True)
    assert list(face.state.scratch.iterdir()) == []


def test_a_crowd_is_told_to_come_back(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "MAXIMUM_WAITING", 0)
    answer = face.post(data=picture(), headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert face.state.waiting == 0


def test_a_third_video_at_once_is_told_to_come_back(face: Face, model: SharedModel, tmp_path: Path) -> None:
    # Given two videos under way
    video = write_video(tmp_path / "clip.mp4", 3).read_bytes()
    for _ in range(limits.MAXIMUM_VIDEOS):
        model.videos.acquire()
    # When
    refused = face.post(files={"video": ("clip.mp4", video)})
    for _ in range(limits.MAXIMUM_VIDEOS):
        model.videos.release()
    taken = face.post(files={"video": ("clip.mp4", video)})
    # Then
    assert (refused.status_code, refused.headers["Retry-After"], taken.status_code) == (503, "2", 200)
    assert list(face.state.scratch.iterdir()) == []


def test_sixty_four_clients_at_once_get_boxes_or_are_told_when_to_come_back(face: Face) -> None:
    # When each of 64 clients asks four times, all at once
    def send(_: int) -> tuple[int, str | None]:
        answer = face.post(data=picture(), headers={"Content-Type": "image/png"})
        return answer.status_code, answer.headers.get("Retry-After")

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(send, range(256)))
    # Then
    assert set(answers) <= {(200, None), (503, "2")}
    assert (200, None) in answers
    assert face.state.waiting == 0


def test_a_defect_is_a_problem_without_its_text(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(inference_module, "checked_size", broken)
    answer = face.post(data=picture(), headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text


@pytest.mark.parametrize(("shape", "status"), [((64, 48), 422), ((640, 640), 422), ((64, 64), 200)])
def test_a_picture_of_another_size_than_its_header_says_is_refused(
    shape: tuple[int, int], status: int, model: SharedModel, tmp_path: Path
) -> None:
    # Given a decoder that answers a picture of some size
    state = ServiceState(Activity(), tmp_path, {})
    state.ready(replace(model, decode=lambda _: np.zeros((*shape, 3), np.uint8)))
    with serving(state) as face:
        answer = face.post(data=picture(), headers={TYPE: "image/png"})
    assert answer.status_code == status


def test_requests_at_once_do_not_mix_up_their_pictures(face: Face) -> None:
    # Given a model whose score is the picture's greatest value, and pictures of 24 brightnesses
    def ask(value: int) -> tuple[int, float]:
        answer = face.post(data=picture(value=value), headers={"Content-Type": "image/png"})
        boxes = answer.json().get("boxes", [])
        return answer.status_code, boxes[0]["confidence"] if boxes else value / 255

    # When they are asked for at once
    values = range(110, 254, 6)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, values))
    # Then each has the answer to its own, or was told to come again
    assert {status for status, _ in answers} - {503} == {200}
    for value, (_, confidence) in zip(values, answers, strict=True):
        assert confidence == pytest.approx(value / 255, abs=0.01)
