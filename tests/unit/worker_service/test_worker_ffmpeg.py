"""The image's FFmpeg: built under the LGPL, PyAV compiled against it; the build stops where x264 is back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[3] / "worker"
LGPL_BUILD = {"h264", "hevc", "vp9", "libdav1d", "libvpx-vp9", "mpeg4"}
"""A part of what an FFmpeg without the GPL's parts offers."""


def instructions(dockerfile: str) -> list[str]:
    """Each instruction on one line, as a builder reads it: without comments, continued lines joined."""
    code = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    return [line for line in code.replace("\\\n", "").splitlines() if line.strip()]


def image() -> list[str]:
    return instructions((WORKER / "Dockerfile").read_text())


def pip_installs(lines: list[str]) -> list[str]:
    """The arguments of every `pip install`, `pip download` and `pip wheel`."""
    return re.findall(r"pip3? (?:install|download|wheel) ([^&;|]*)", "\n".join(lines))


def takes_the_wheel(arguments: str) -> bool:
    """Whether this pip step could install PyAV's own wheel.

    One that reads requirements may; it may not where `--no-binary av` stands behind every `--only-binary`.
    """
    if "-r " not in arguments and not re.search(
        r"(?<![\w-])av\b(?!-)", arguments.replace("--no-binary av", "")
    ):
        return False
    return "--no-binary av " not in arguments or "--only-binary" in arguments.split("--no-binary av ")[1]


def test_no_pip_step_takes_pyavs_wheel() -> None:
    steps = pip_installs(image())
    assert any("--no-binary av " in step and "-r " in step for step in steps)
    assert [step for step in steps if takes_the_wheel(step)] == []


@pytest.mark.parametrize(
    ("arguments", "wheel"),
    [
        ("--only-binary :all: --no-binary av -r requirements.txt", False),
        ("--no-binary av -r requirements.txt", False),
        ("--only-binary :all: cython==3.3.1", False),
        ("--only-binary :all: -r requirements.txt", True),
        ("--no-binary av --only-binary :all: -r requirements.txt", True),
        ("--no-binary avro -r requirements.txt", True),
        ("av==18.1.0", True),
    ],
)
def test_the_wheel_check_knows_what_it_looks_for(arguments: str, wheel: bool) -> None:
    assert takes_the_wheel(arguments) is wheel


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt"])
def test_the_requirements_say_nothing_about_wheels(name: str) -> None:
    """An option in the file wins over the command line, and a URL would be taken whatever the options are."""
    lines = (WORKER / name).read_text().splitlines()
    assert [line for line in lines if line.startswith("-") or "://" in line or "@" in line] == []
    assert [line for line in lines if re.match(r"av\b", line)] == ["av==18.1.0"]


@pytest.mark.parametrize(
    "option", ["gpl", "nonfree", "version3", "libx264", "libx265", "libxvid", "libfdk-aac"]
)
def test_ffmpeg_is_configured_without(option: str) -> None:
    assert not any(f"--enable-{option}" in line for line in image())


@pytest.mark.parametrize(
    "option",
    [
        "disable-autodetect",
        "enable-shared",
        "enable-libvpx",
        "enable-libdav1d",
        "enable-nvdec",
        "enable-cuda",
    ],
)
def test_ffmpeg_is_configured_with(option: str) -> None:
    (configure,) = [line for line in image() if "./configure" in line]
    assert re.search(rf" --{option}\b", configure)


def test_the_source_is_checked_before_it_is_built() -> None:
    lines = image()
    (fetch,) = [line for line in lines if "ffmpeg.org/releases" in line]
    assert fetch.index("curl") < fetch.index("sha256sum --check") < fetch.index("tar -xJf")
    assert any(re.fullmatch(r"ARG FFMPEG_SHA256=[0-9a-f]{64}", line) for line in lines)


def check() -> str:
    """The code of the step that fails the build; it stands in the image that is shipped."""
    lines = image()
    (step,) = [line for line in lines if "codecs_available" in line]
    assert lines.index(step) > max(number for number, line in enumerate(lines) if line.startswith("FROM"))
    found = re.fullmatch(r'RUN /opt/venv/bin/python3 -c "([^"]+)"', step)
    assert found
    return found[1]


def run_check(folder: Path, codecs: set[str], devices: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the step's code with an `av` that offers these codecs and devices."""
    codec = folder / "av" / "codec"
    codec.mkdir(parents=True)
    (folder / "av" / "__init__.py").write_text("")
    (codec / "__init__.py").write_text(f"codecs_available = set({sorted(codecs)!r})\n")
    (codec / "hwaccel.py").write_text(f"def hwdevices_available():\n    return {devices!r}\n")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", check()], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("more", "less", "devices", "said"),
    [
        (set(), set(), ["cuda"], None),
        ({"libx264"}, set(), ["cuda"], "libx264"),
        ({"libx265"}, set(), ["cuda"], "libx265"),
        (set(), {"libvpx-vp9"}, ["cuda"], "libvpx-vp9"),
        (set(), {"h264"}, ["cuda"], "h264"),
        (set(), set(), ["drm"], "cuda"),
    ],
)
def test_the_build_stops_where_the_gpl_is_back_or_a_codec_is_gone(
    tmp_path: Path, more: set[str], less: set[str], devices: list[str], said: str | None
) -> None:
    # When
    done = run_check(tmp_path, (LGPL_BUILD | more) - less, devices)
    # Then
    assert (done.returncode == 0) is (said is None), done.stderr
    assert said is None or said in done.stderr


def test_the_build_would_stop_at_pyavs_wheel() -> None:
    """What is installed for development is that wheel."""
    done = subprocess.run([sys.executable, "-c", check()], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "libx264" in done.stderr
    assert "missing: set()" in done.stderr
