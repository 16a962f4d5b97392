"""cfn-lint on the source and on what SAM makes of it: behind the transform it checks nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def lint(file: Path, *arguments: str) -> str:
    """cfn-lint's findings; empty when there are none."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), *arguments, "--", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def test_the_source_is_clean(root: Path) -> None:
    assert lint(root / "template.yaml") == ""


def test_the_translated_template_is_clean(translated: dict[str, Any], tmp_path: Path) -> None:
    # Given
    file = tmp_path / "translated.json"
    file.write_text(json.dumps(translated))
    # When the macro has put parameters' values into Fn::Sub, a Sub without variables is its doing (W1020)
    findings = lint(file, "--ignore-checks", "W1020")
    # Then
    assert findings == ""


def test_the_linter_sees_behind_the_transform(translated: dict[str, Any], tmp_path: Path) -> None:
    # Given mistakes that `sam validate --lint` lets pass
    function = translated["Resources"]["RollbackFunction"]
    mistakes = {"Runtime": "python3.1", "Nonsense": 1}
    wrong = function | {"Properties": function["Properties"] | mistakes}
    broken = translated | {"Resources": {"RollbackFunction": wrong}}
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(broken))
    # When
    findings = lint(file, "--ignore-checks", "W1020")
    # Then
    assert {code for code in ("E3030", "E3002") if code not in findings} == set(), findings
