#!/usr/bin/env python3
"""Writes samconfig.toml from the value files beside this one; ``--check`` only says whether they agree.

The SAM CLI reads parameters from TOML and YAML but not from JSON. Needs nothing but Python.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CONFIG = FOLDER.parent / "samconfig.toml"
ENVIRONMENTS = ("dev", "qa", "prod")

HEAD = """\
# Written by env/samconfig.py from env/*.json: edit those, then run `python3 env/samconfig.py`.
version = 0.1

[default.build.parameters]
cached = true
parallel = true
"""

SECTION = """
[{name}.deploy.parameters]
stack_name = "shoal-{name}"
capabilities = "CAPABILITY_IAM"
resolve_s3 = true
s3_prefix = "shoal-{name}"
fail_on_empty_changeset = false
tags = "shoal:environment={name}"

[{name}.deploy.parameters.parameter_overrides]
{values}

[{name}.delete.parameters]
stack_name = "shoal-{name}"
"""


def values_of(name: str) -> dict[str, str]:
    """The template's parameters as text; a list is joined by commas."""
    given = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in given.items()}


def rendered() -> str:
    """The text of samconfig.toml. A JSON string is a TOML string too."""
    sections = []
    for name in ENVIRONMENTS:
        lines = [f"{key} = {json.dumps(value)}" for key, value in values_of(name).items()]
        sections.append(SECTION.format(name=name, values="\n".join(lines)))
    return HEAD + "".join(sections)


def main(arguments: list[str]) -> int:
    """0 when samconfig.toml agrees (now), 1 when ``--check`` found that it does not."""
    wanted = rendered()
    if "--check" in arguments:
        return 0 if CONFIG.read_text(encoding="utf-8") == wanted else 1
    CONFIG.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
