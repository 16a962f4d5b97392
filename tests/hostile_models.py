"""Model files that mean harm and are no graph of ours: whatever runs of one writes the canary.

Each maker gets the path to write and the canary's; each entry says in which words the worker refuses it.
"""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from hostile_graphs import model, node
from onnx import TensorProto, helper
from tiny_models import usual_metadata, write_model

Make = Callable[[Path, Path], object]


class Bomb:
    """Writes the canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.canary)!r}, 'w').write('ran')",)


def pickled(canary: Path) -> bytes:
    return pickle.dumps(Bomb(canary))


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def array(path: Path, canary: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array([Bomb(canary)], dtype=object), allow_pickle=True)


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, len(content)
    return made, content


def only(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Make:
    return lambda path, canary: packed(path, member(name, content, kind, link))


def header_of(kind: bytes, size: int) -> Make:
    """A header that announces ``size`` bytes of name or attributes, and a few of them."""

    def make(path: Path, canary: Path) -> None:
        head = tarfile.TarInfo("x")
        head.type, head.size = kind, size
        path.write_bytes(gzip.compress(head.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))

    return make


def announced(name: str, size: int) -> Make:
    """A member that announces ``size`` bytes, and a few of them."""

    def make(path: Path, canary: Path) -> None:
        head = tarfile.TarInfo(name)
        head.size = size
        path.write_bytes(gzip.compress(head.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))

    return make


def described(**metadata: str) -> Make:
    """A good graph, of any size, that says of itself what is evaluated, if anything is."""

    def make(path: Path, canary: Path) -> None:
        told = {key: text.replace("CANARY", str(canary)) for key, text in metadata.items()}
        write_model(path, "yolov8", size=None, metadata=usual_metadata("yolov8") | told)

    return make


def _graph(made: Callable[[], onnx.ModelProto]) -> Make:
    return lambda path, canary: path.write_bytes(made().SerializeToString())


def _cyclic() -> onnx.ModelProto:
    return model([node("Add", "x", "b", output="a"), node("Relu", "a", output="b"), node("Relu", "b")])


def _enormous_input() -> onnx.ModelProto:
    side = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 1 << 20, 1 << 20])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node("Relu", "x")], "g", [side], [answer])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


RUN = "__import__('pathlib').Path('CANARY').touch()"
FILES: dict[str, tuple[str, Make, str]] = {
    "a pickle": ("best.pt", lambda path, canary: path.write_bytes(pickled(canary)), "runs code"),
    "a PyTorch zip": (
        "best.pth", lambda path, canary: zipped(path, {"best/data.pkl": pickled(canary)}), "runs code",
    ),
    "TorchScript": (
        "best.torchscript", lambda path, canary: zipped(path, {"best/code/a.py": b"import os"}), "runs code",
    ),
    "a pickle called a graph": (
        "m.onnx", lambda path, canary: path.write_bytes(pickled(canary)), "no ONNX model",
    ),
    "a pickle called an archive": (
        "m.tar.gz", lambda path, canary: path.write_bytes(pickled(canary)), "cannot be unpacked",
    ),
    "a pickle in an archive": (
        "m.tar.gz", lambda path, canary: packed(path, member("best.pt", pickled(canary))), "runs code",
    ),
    "a pickle in an archive, called a graph": (
        "m.tar.gz", lambda path, canary: packed(path, member("m.onnx", pickled(canary))), "no ONNX model",
    ),
    "joblib's": ("m.joblib", lambda path, canary: path.write_bytes(pickled(canary)), "is not a model"),
    "an array of objects": ("m.npy", array, "is not a model"),
    "an array of objects called a graph": ("m.onnx", array, "no ONNX model"),
    "a Keras layer of code": (
        "m.keras", lambda path, canary: zipped(path, {"config.json": b'{"class_name": "Lambda"}'}),
        "is not a model",
    ),
    "a TensorRT engine": ("m.engine", lambda path, canary: path.write_bytes(b"ftrt" * 9), "is not a model"),
    "a shared library called a graph": (
        "m.onnx", lambda path, canary: path.write_bytes(b"\x7fELF\2\1\1" + bytes(60)), "no ONNX model",
    ),
    "a script called a graph": (
        "m.onnx", lambda path, canary: path.write_text(f"open({str(canary)!r}, 'w')"), "no ONNX model",
    ),
    "a zip called an archive": (
        "m.tar.gz", lambda path, canary: zipped(path, {"m.onnx": b"x"}), "cannot be unpacked",
    ),
    "a link to a file of the machine": (
        "m.tar.gz", only("m.onnx", kind=tarfile.SYMTYPE, link="/etc/passwd"), "holds no .onnx file",
    ),
    "a link out of the archive": (
        "m.tar.gz", only("m.onnx", kind=tarfile.SYMTYPE, link="../../../etc/passwd"), "holds no .onnx file",
    ),
    "a hard link": (
        "m.tar.gz", only("m.onnx", kind=tarfile.LNKTYPE, link="/etc/passwd"), "holds no .onnx file",
    ),
    "a device": ("m.tar.gz", only("m.onnx", kind=tarfile.CHRTYPE), "holds no .onnx file"),
    "a pipe": ("m.tar.gz", only("m.onnx", kind=tarfile.FIFOTYPE), "holds no .onnx file"),
    "a folder": ("m.tar.gz", only("m.onnx", kind=tarfile.DIRTYPE), "holds no .onnx file"),
    "an absolute path": ("m.tar.gz", only("/etc/cron.d/m.onnx", b"* * * * * root"), "no ONNX model"),
    "a path out of the folder": ("m.tar.gz", only("../../../m.onnx", b"* * * * * root"), "no ONNX model"),
    "a member of a terabyte": ("m.tar.gz", announced("m.onnx", 1 << 40), "holds more than"),
    "one of three gibibytes": ("m.tar.gz", announced("m.onnx", 3 << 30), "is larger than"),
    "labels of a gibibyte": ("m.tar.gz", announced("labels.txt", 1 << 30), "is larger than"),
    "attributes of a gibibyte": ("m.tar.gz", header_of(tarfile.XHDTYPE, 1 << 30), "a header of 1073"),
    "attributes of all members": ("m.tar.gz", header_of(tarfile.XGLTYPE, 1 << 30), "a header of 1073"),
    "a name of a gibibyte": ("m.tar.gz", header_of(tarfile.GNUTYPE_LONGNAME, 1 << 30), "a header of 1073"),
    "an archive in an archive": ("m.tar.gz", only("m.tar.gz", b"x"), "holds no .onnx file"),
    "half an archive": (
        "m.tar.gz", lambda path, canary: path.write_bytes(gzip.compress(bytes(900))[:-8]), "unpack|holds no",
    ),
    "names that are a call": ("m.onnx", described(names=RUN), "`names`"),
    "names that are a list of calls": ("m.onnx", described(names=f"[{RUN}]"), "`names`"),
    "names without a bottom": ("m.onnx", described(names="-" * 200_000 + "1"), "`names`"),
    "names that are a number": ("m.onnx", described(names="5"), "`names`"),
    "names of two kinds": ("m.onnx", described(names="{0: 'a', 'b': 'c'}"), "`names`"),
    "names of megabytes": ("m.onnx", described(names=repr(["a" * 2_000_000])), "`names`"),
    "a size that is a call": ("m.onnx", described(imgsz=RUN), "`imgsz`"),
    "a size without a bottom": ("m.onnx", described(imgsz="-" * 200_000 + "1"), "`imgsz`"),
    "an endless size": ("m.onnx", described(imgsz="[1e999, 1e999]"), "`imgsz`"),
    "a size of terabytes": ("m.onnx", described(imgsz="[1000000, 1000000]"), "at most 8192 a side"),
    "an endless stride": ("m.onnx", described(stride="inf"), "`stride`"),
    "an input of terabytes": ("m.onnx", _graph(_enormous_input), "at most 8192 a side"),
    "a graph that goes round in circles": ("m.onnx", _graph(_cyclic), "cannot be opened|acyclic"),
}  # fmt: skip
"""By name: the file's name, who writes it, and the refusal."""
