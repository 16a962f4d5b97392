"""Models: three layouts told apart, sizes and types read from the file, and what cannot be used refused."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shoal_worker import Detector, TrackOptions
from shoal_worker.errors import ModelError
from shoal_worker.layouts import Layout, Output, recognise_layout
from shoal_worker.model import load_model
from shoal_worker.preprocess import Letterbox, rectangle
from shoal_worker.providers import choose_providers
from tiny_models import LAYOUTS, NAMES, TRANSFORMERS, usual_metadata, write_model
from tiny_videos import picture

OPTIONS = TrackOptions(confidence=0.8, iou=0.2, image_size=(96, 160))
SQUARES = [(44, 36, 0), (108, 60, 2)]
"""Their centres lie on the filter's grid."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["float", "half", "uint8"])
@pytest.mark.parametrize("size", [(96, 160), None], ids=["fixed", "dynamic"])
def test_every_layout_finds_the_same_squares(tmp_path, layout, kind, size):
    # Given the same filter exported in one of the layouts
    detector = Detector(write_model(tmp_path / "model.onnx", layout, kind=kind, size=size))
    # When a picture with a red and a blue square is shown
    found = detector.detect(picture(SQUARES), OPTIONS)
    # Then both are found where they are, with the right class
    assert (detector.model.layout, detector.names) == (layout, NAMES)
    rows = sorted(zip(found.boxes.round().tolist(), found.classes.tolist(), strict=True))
    assert rows == [([28, 20, 60, 52], 0), ([92, 44, 124, 76], 2)]
    assert found.scores == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("layout", TRANSFORMERS)
@pytest.mark.parametrize("kind", ["float", "half", "uint8"])
def test_a_transformer_sees_the_whole_frame_stretched(tmp_path, layout, kind):
    # Given the filter in a transformer's layout, and a frame of twice the input's height
    detector = Detector(write_model(tmp_path / "model.onnx", layout, kind=kind))
    frame = picture(SQUARES)
    # When it is shown stretched, Then the squares are found where they are, as tall as they were made
    found = detector.detect(np.repeat(frame, 2, axis=0), replace(OPTIONS, agnostic_nms=True))
    assert (detector.model.layout, detector.names) == (layout, NAMES)
    rows = sorted(zip(found.boxes.round().tolist(), found.classes.tolist(), strict=True))
    assert rows == [([28, 40, 60, 104], 0), ([92, 88, 124, 152], 2)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_boxes_come_back_in_the_pixels_of_a_larger_frame(tmp_path, layout):
    # Given a frame of twice the input's size and other proportions, with one green square of 64 pixels
    detector = Detector(write_model(tmp_path / "model.onnx", layout))
    frame = picture([(200, 80, 1)], size=(144, 320), side=64)
    # When it is detected
    found = detector.detect(frame, OPTIONS)
    # Then the box lies in the frame's pixels
    assert len(found) == 1
    assert found.boxes[0] == pytest.approx([168, 48, 232, 112], abs=0.5)


def test_a_dynamic_model_takes_the_smallest_rectangle(tmp_path):
    # Given a model of any size, and a wide frame
    detector = Detector(write_model(tmp_path / "model.onnx", "yolov8", size=None))
    options = TrackOptions(image_size=(640, 640))
    # When its input is chosen, Then no row of border is computed beyond the stride
    assert detector.input_size((1080, 1920), options) == (360, 640)
    assert rectangle((1080, 1920), (640, 640), 32) == (384, 640)
    assert detector.notes(options) == ()


def test_a_fixed_model_says_that_imgsz_is_ignored(tmp_path):
    # Given a model of one size, When another is asked for
    detector = Detector(write_model(tmp_path / "model.onnx", "yolov8"))
    # Then the note says what to do
    assert "dynamic=True" in detector.notes(TrackOptions(image_size=(640, 640)))[0]


def test_a_gpu_that_did_not_come_up_and_a_late_device_are_noted(tmp_path):
    # Given a model that was meant for a GPU and runs on the processor
    model = load_model(write_model(tmp_path / "model.onnx", "yolov8"), "cpu")
    detector = Detector(replace(model, wanted_provider="CUDAExecutionProvider"), device="cpu")
    # When its notes are asked for, with another device named after it was loaded
    notes = detector.notes(TrackOptions(device="cuda:0"))
    # Then both are said; and a model that runs where it should says nothing
    assert [note.split()[0] for note in notes] == ["--device", "CUDAExecutionProvider"]
    assert Detector(model, device="cpu").notes(TrackOptions(device="cpu")) == ()


@pytest.mark.parametrize(
    ("shape", "classes", "metadata", "layout"),
    [
        ((1, 25200, 85), 80, {}, Layout.YOLOV5),
        ((1, 84, 8400), 80, {"task": "detect"}, Layout.YOLOV8),
        ((1, 84, 8400), 80, {}, Layout.YOLOV8),
        ((1, 300, 6), 80, {"task": "detect", "end2end": "True"}, Layout.END_TO_END),
        ((1, 300, 6), 80, {}, Layout.END_TO_END),
        ((1, 25200, 6), 1, {}, Layout.YOLOV5),
        ((1, 300, 6), 1, {"task": "detect"}, Layout.END_TO_END),
        ((1, 300, 6), 1, {"shoal.layout": "yolov5"}, Layout.YOLOV5),
        ((1, 25200, 85), None, {}, Layout.YOLOV5),
        ((1, 84, 8400), None, {}, Layout.YOLOV8),
        ((1, 300, 84), 80, {}, Layout.RTDETR),
        ((1, 300, 84), 80, {"task": "detect", "head": "RTDETRDecoder"}, Layout.RTDETR),
        ((1, 300, 6), 80, {"task": "detect", "head": "RTDETRDecoder"}, Layout.RTDETR_TOP),
        ((1, 300, 6), 2, {"task": "detect"}, Layout.END_TO_END),
    ],
)
def test_metadata_then_shape_tell_the_layout(shape, classes, metadata, layout):
    assert recognise_layout([Output("output0", shape)], classes, metadata) is layout


@pytest.mark.parametrize(
    ("shape", "classes", "metadata", "says"),
    [
        ((1, 300, 6), 1, {}, "fits yolov5 and end2end"),
        ((1, 300, 6), None, {}, "fits yolov5 and end2end"),
        ((1, 8, 9), 4, {}, "fits yolov5 and yolov8"),
        ((1, 2000, 84), 80, {}, "fits no layout"),
        ((1, 1000), 1000, {}, r"is not \(1, a, b\)"),
        ((2, 84, 8400), 80, {}, r"is not \(1, a, b\)"),
        ((1, 116, 8400), 80, {"task": "segment"}, "task is segment"),
        ((1, 84, 8400), 80, {"shoal.layout": "v9"}, "use one of"),
    ],
)
def test_an_ambiguous_or_unknown_layout_is_refused(shape, classes, metadata, says):
    with pytest.raises(ModelError, match=says):
        recognise_layout([Output("output0", shape)], classes, metadata)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"names": "__import__('os').system('true')"}, "not a list or a dictionary"),
        ({"names": "{0: 'a', 2: 'b', 3: 'c'}"}, "does not number its classes from 0"),
        ({"names": "['a', 'b']", "shoal.layout": "yolov8"}, "2 class names for 3 classes"),
        (usual_metadata("yolov8") | {"stride": "many"}, "stride"),
        (usual_metadata("yolov8") | {"task": "pose"}, "task is pose"),
    ],
)
def test_metadata_that_makes_no_sense_is_refused(tmp_path, metadata, says):
    path = write_model(tmp_path / "model.onnx", "yolov8", metadata=metadata)
    with pytest.raises(ModelError, match=says):
        load_model(path)


def test_labels_beside_the_model_name_the_classes(tmp_path):
    # Given a model without metadata and the seeds' labels.txt
    path = write_model(tmp_path / "model.onnx", "yolov8", metadata={})
    (tmp_path / "labels.txt").write_text("anemone\nbrittle star\n\ncoral\n", encoding="utf-8")
    # When it is loaded, Then the lines are the names
    assert load_model(path).names == ("anemone", "brittle star", "coral")


def test_without_any_names_the_classes_are_numbered(tmp_path):
    path = write_model(tmp_path / "model.onnx", "yolov8", metadata={})
    assert load_model(path).names == ("class0", "class1", "class2")


def _pack(target: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(target, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = (len(content) if kind == tarfile.REGTYPE else 0), kind
            member.linkname = "/etc/hostname"
            archive.addfile(member, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return target


def test_a_model_inside_an_archive_is_used_and_nothing_is_written_outside(tmp_path):
    # Given an archive whose members want to land elsewhere
    model = write_model(tmp_path / "model.onnx", "yolov8", metadata={}).read_bytes()
    labels = b"a\nb\nc\n"
    path = _pack(
        tmp_path / "model.tar.gz", {"../../escaped/labels.txt": labels, "/root-of-all/best.onnx": model}
    )
    before = sorted(tmp_path.rglob("*"))
    # When it is loaded
    loaded = load_model(path)
    # Then the model and its labels are used, under our own names
    assert (loaded.name, loaded.names) == ("best.onnx", ("a", "b", "c"))
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent.parent / "escaped").exists()


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("best.pt", lambda path: path.write_bytes(b"PK"), "export.py --weights best.pt --include onnx"),
        ("m.tar.gz", lambda path: _pack(path, {"yolov5x/best.pt": b"PK"}), "best.pt is a PyTorch checkpoint"),
        ("m.tar.gz", lambda path: _pack(path, {"readme.md": b"hello"}), "holds no .onnx file"),
        ("m.tar.gz", lambda path: _pack(path, {"m.onnx": b""}, tarfile.SYMTYPE), "holds no .onnx file"),
        ("m.tar.gz", lambda path: path.write_bytes(b"\x1f\x8b nonsense"), "cannot be unpacked"),
        ("m.onnx", lambda path: path.write_bytes(b"nonsense"), "no ONNX model"),
        ("m.bin", lambda path: path.write_bytes(b"x"), "is not a model"),
        ("m.onnx", lambda path: None, "there is no model"),
    ],
)
def test_what_is_no_model_is_refused_with_what_to_do(tmp_path, name, make, says):
    make(tmp_path / name)
    with pytest.raises(ModelError, match=says):
        load_model(tmp_path / name)


def test_one_function_chooses_for_laptop_and_gpu():
    cpu, cuda, tensorrt = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
    everything = [tensorrt, cuda, cpu]

    def names(device: str | None, available: list[str]) -> list[str]:
        return [name for name, _ in choose_providers(device, available)]

    # Given a machine, When a device is chosen or left open, Then the fallbacks stand behind the choice
    assert names(None, [cpu]) == [cpu]
    assert names(None, everything) == [cuda, cpu]
    assert names("tensorrt", everything) == everything
    assert names("cpu", everything) == [cpu]
    assert dict(choose_providers("cuda:1", everything))[cuda]["device_id"] == 1
    for device, available in (("cuda", [cpu]), ("tpu", everything), ("cuda:x", everything)):
        with pytest.raises(ModelError, match=r"use cpu|device cpu"):
            choose_providers(device, available)


@pytest.mark.parametrize("frame", [(1080, 1920), (100, 900), (901, 333), (96, 160)])
def test_the_letterbox_restores_what_it_scaled(frame):
    # Given a frame with one white block, scaled into a square input
    image = np.zeros((*frame, 3), np.uint8)
    image[frame[0] // 4 : frame[0] // 2, frame[1] // 4 : frame[1] // 2] = 255
    letterbox = Letterbox(frame, (320, 320))
    # When the block is found in the tensor and restored
    rows, columns = np.nonzero(letterbox(image)[:, :, 0] > 191)
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    restored = letterbox.restore(box)[0]
    # Then it is where it was, to one pixel of the input
    expected = [frame[1] // 4, frame[0] // 4, frame[1] // 2, frame[0] // 2]
    assert restored == pytest.approx(expected, abs=1.5 * max(frame) / 320)
