"""What goes into the image: a clean Dockerfile, pinned packages, licences, no import of the control plane."""

from __future__ import annotations

import ast
import fnmatch
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WORKER = ROOT / "worker"
REQUIREMENTS = ["requirements.txt", "requirements-gpu.txt"]
ONLY_ON_A_GPU = {"onnxruntime-gpu": "onnxruntime"}
"""Not installed where tests run; its twin of the same version and licence (MIT) is."""


def pins(path: Path) -> dict[str, set[str]]:
    """Package to its pinned versions; a lock for several Pythons may hold two."""
    found: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if match := re.match(r"^([A-Za-z0-9_.-]+)==([^ ;]+)", line):
            found.setdefault(match[1].lower(), set()).add(match[2])
    return found


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, WORKER / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "USER 10001:10001",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video",
        'ENTRYPOINT ["python3", "-m", "shoal_worker"]',
        "SHOAL_LOCAL_ONLY=0",
        "STOPSIGNAL SIGTERM",
    ],
)
def test_the_dockerfile_says(line: str) -> None:
    assert line in (WORKER / "Dockerfile").read_text()


def test_the_bases_are_pinned_by_tag() -> None:
    bases = re.findall(
        r"^ARG (?:BASE|PYTHON)_IMAGE=(\S+)$", (WORKER / "Dockerfile").read_text(), re.MULTILINE
    )
    assert len(bases) == 2
    assert all(re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+-[a-z0-9.-]+", base) for base in bases)


def test_the_build_context_holds_what_is_copied() -> None:
    # Given
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (WORKER / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copies for source in line.split()]
    # Then
    assert sources
    for source in sources:
        path = ROOT / source
        sample = source if path.is_file() else f"{source.rstrip('/')}/a"
        assert path.exists(), source
        assert any(fnmatch.fnmatch(sample, pattern) for pattern in allowed), source


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_package_is_pinned_as_in_the_lock(name: str) -> None:
    # Given
    mine, lock = pins(WORKER / name), pins(ROOT / "requirements" / "dev.lock")
    lines = [line for line in (WORKER / name).read_text().splitlines() if line and line[0] not in " #"]
    # Then
    assert len(lines) == len(mine) > 20
    for package, versions in mine.items():
        shared = lock[ONLY_ON_A_GPU.get(package, package)]
        assert versions <= shared, package


def test_both_requirements_differ_in_the_runtime_only() -> None:
    cpu, gpu = (pins(WORKER / name) for name in REQUIREMENTS)
    assert set(cpu) ^ set(gpu) == {"onnxruntime", "onnxruntime-gpu"}


def licence_of(package: str) -> str:
    """Everything a distribution says about its licence."""
    about = importlib.metadata.metadata(package)
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License")]
    # A whole licence text may stand in the field; its first line is its name.
    named = (about.get("License") or "").strip().splitlines()[:1]
    return " | ".join([about.get("License-Expression") or "", *named, *classifiers])


COPYLEFT = re.compile(r"\b(A?GPL|Affero|GNU General Public)", re.IGNORECASE)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_no_package_of_the_worker_is_gpl_or_agpl(name: str) -> None:
    for package in pins(WORKER / name):
        licence = licence_of(ONLY_ON_A_GPU.get(package, package))
        assert licence.strip(" |"), f"{package} names no licence: look at it"
        assert not COPYLEFT.search(licence), f"{package}: {licence}"


@pytest.mark.parametrize(
    ("licence", "found"),
    [
        ("AGPL-3.0", True),
        ("GPL-2.0-or-later", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("LGPL-2.1", False),
        ("MIT", False),
    ],
)
def test_the_licence_check_knows_what_it_looks_for(licence: str, found: bool) -> None:
    assert bool(COPYLEFT.search(licence)) is found


def imported(source: str) -> set[str]:
    """Every module that a source imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def foreign(names: set[str]) -> set[str]:
    """Those of our other rooms, the contracts apart."""
    ours = {
        name
        for name in names
        if name.split(".")[0] in {"shoal", "shoal_local", "shoal_cli", "shoal_detector"}
    }
    return {name for name in ours if name != "shoal.contracts" and not name.startswith("shoal.contracts.")}


def test_the_worker_imports_only_the_contracts_of_shoal() -> None:
    sources = sorted((WORKER / "shoal_worker").rglob("*.py"))
    assert len(sources) > 30
    assert {
        path.name: foreign(imported(path.read_text()))
        for path in sources
        if foreign(imported(path.read_text()))
    } == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from shoal.contracts.job import JobMessage", set()),
        ("from shoal import errors", {"shoal", "shoal.errors"}),
        ("def f():\n    import shoal.aws", {"shoal.aws"}),
        ("from shoal_local.clock import now", {"shoal_local.clock", "shoal_local.clock.now"}),
    ],
)
def test_the_import_check_knows_what_it_looks_for(source: str, expected: set[str]) -> None:
    assert foreign(imported(source)) == expected


def test_only_packages_of_the_requirements_are_imported() -> None:
    # Given the modules that the image's packages provide
    pinned = set(pins(WORKER / "requirements.txt"))
    homes = importlib.metadata.packages_distributions()
    # When
    used = {
        name.split(".")[0]
        for path in (WORKER / "shoal_worker").rglob("*.py")
        for name in imported(path.read_text())
    }
    outside = used - set(sys.stdlib_module_names) - {"shoal", "shoal_worker"}
    # Then (OpenVINO and pyarrow are extras: imported where they were asked for or are found)
    extras = {"openvino", "pyarrow"}
    assert {"onnxruntime", *extras} <= outside
    outside -= extras
    for module in outside:
        assert {name.lower().replace("_", "-") for name in homes[module]} & pinned, module
