"""Checkpoints: networks come back with their weights, and a pickle that wants to run something is refused.

Needs torch, which is in no lock file: ``PATH/TO/VENV/bin/python -m pytest tests/unit/convert``.
"""

from __future__ import annotations

import os
import pickle
import sys
import types
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed here")
from shoal_cli.convert import standins  # noqa: E402
from shoal_cli.convert.checkpoint import Refused, read_checkpoint  # noqa: E402

nn = torch.nn


def _conv(inside: int, outside: int, kernel: int, stride: int) -> standins.Conv:
    block = standins.Conv()
    block.conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False)
    block.bn, block.act = nn.BatchNorm2d(outside), nn.SiLU()
    return block


def _network() -> standins.DetectionModel:
    """A YOLOv5 in small: two strided convolutions and a head for two classes."""
    head = standins.DetectV5()
    head.nc, head.no, head.na, head.nl = 2, 7, 1, 1
    head.stride = torch.tensor([4.0])
    head.register_buffer("anchors", torch.tensor([[[2.0, 3.0]]]))
    head.m = nn.ModuleList([nn.Conv2d(8, 7, 1)])
    network = standins.DetectionModel()
    layers = [_conv(3, 4, 3, 2), _conv(4, 8, 3, 2), head]
    for index, layer in enumerate(layers):
        layer.i, layer.f = index, [-1] if index == 2 else -1
    network.model, network.save, network.names = nn.Sequential(*layers), [], ["crab", "squid"]
    return network.eval()


@pytest.fixture
def foreign(monkeypatch):
    """The stand-ins under the names that YOLOv5's own code writes."""
    homes = {"Conv": "models.common", "DetectV5": "models.yolo", "DetectionModel": "models.yolo"}
    for name in ("models", "models.common", "models.yolo"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name, home in homes.items():
        kind = getattr(standins, name)
        kind.__module__, kind.__qualname__ = home, "Detect" if name == "DetectV5" else name
        setattr(sys.modules[home], kind.__qualname__, kind)
    yield homes
    for name in homes:
        kind = getattr(standins, name)
        kind.__module__, kind.__qualname__ = standins.__name__, name


def test_a_network_comes_back_and_answers_the_same(tmp_path, foreign):
    # Given a checkpoint that names YOLOv5's classes, in 16 bits
    network = _network()
    torch.save({"model": network.half(), "ema": None}, tmp_path / "best.pt")
    for name in foreign.values():
        sys.modules.pop(name, None)
    # When it is read
    found = read_checkpoint(tmp_path / "best.pt")
    # Then it computes what the network did, in YOLOv5's form
    picture = torch.rand(1, 3, 16, 24)
    assert torch.allclose(found.network(picture), network.float()(picture), atol=1e-6)
    assert found.network(picture).shape == (1, 4 * 6, 7)
    assert (found.layout, found.names, found.stride) == ("yolov5", {0: "crab", 1: "squid"}, 4)


class _Bomb:
    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self):
        return os.system, (f"touch {self.trap}",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_something_is_refused_and_nothing_ran(tmp_path, protocol):
    # Given checkpoints that would run a command when they are unpickled
    trap = tmp_path / "sprung"
    torch.save({"model": _Bomb(trap)}, tmp_path / "zip.pt", pickle_protocol=protocol)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Bomb(trap), protocol))
    for name in ("zip.pt", "plain.pt"):
        # When they are read, Then they are refused, and the command did not run
        with pytest.raises(Refused):
            read_checkpoint(tmp_path / name)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [({"model": {"weight": 1}}, "only weights"), ([1, 2], "only weights"), ({"model": None}, "only weights")],
)
def test_what_holds_no_network_is_refused(tmp_path, content, says):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(Refused, match=says):
        read_checkpoint(tmp_path / "a.pt")


def test_a_size_is_a_multiple_of_the_stride(tmp_path, foreign):
    torch.save({"model": _network()}, tmp_path / "best.pt")
    found = read_checkpoint(tmp_path / "best.pt")
    assert found.input_size(0, 24) == (640, 24)
    with pytest.raises(Refused, match="no multiple"):
        found.input_size(18, 24)
