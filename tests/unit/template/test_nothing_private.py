"""No account id, no AMI id, no person's address in any tracked file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from state_machines import ROOT

EXAMPLE_ACCOUNTS = {"123456789012", "168552337187"}
"""moto's own, and the one in the seeds' documented example."""
EXAMPLE_DOMAINS = re.compile(r"@([\w-]+\.)*(example\.(org|com|net)|example|invalid|localhost|test)$")
EXAMPLE_AMI = "ami-12345678"  # moto's
EXAMPLE_NETWORKS = {"0123456789abcdef0", "0fedcba9876543210"}

ACCOUNT = re.compile(r"(?<![\w.])(?<![0-9a-f]{4}-)\d{12}(?!\w)")
AMI = re.compile(r"\bami-[0-9a-f]{8,17}\b")
MAIL = re.compile(r"\b[\w.+-]+@[A-Za-z][\w-]*(?:\.[A-Za-z][\w-]+)+\b")
NETWORK = re.compile(r"\b(?:vpc|subnet|sg)-([0-9a-f]{17})\b")
SKIPPED = ("requirements/", "package-lock.json", "LICENSE")


def tracked() -> Iterator[tuple[str, str]]:
    """Every tracked text file with its content; lock files hold nothing but versions and hashes."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if name.startswith(SKIPPED) or not file.is_file() or file.stat().st_size > 2_000_000:
            continue
        data = file.read_bytes()
        if b"\0" not in data[:8000]:
            yield name, data.decode("utf-8", errors="replace")


def private(text: str) -> list[str]:
    """What a text gives away."""
    found = [number for number in ACCOUNT.findall(text) if number not in EXAMPLE_ACCOUNTS]
    found += [image for image in AMI.findall(text) if image != EXAMPLE_AMI]
    found += [address for address in MAIL.findall(text) if not EXAMPLE_DOMAINS.search(address)]
    return found + [number for number in NETWORK.findall(text) if number not in EXAMPLE_NETWORKS]


def test_tracked_files_give_nothing_away() -> None:
    files = list(tracked())
    assert len(files) > 100
    assert {name: found for name, text in files if (found := private(text))} == {}


@pytest.mark.parametrize(
    "parts",
    [
        ("arn:aws:sqs:us-west-2:", "99998888", "7777", ":queue"),
        ("", "99998888", "7777", ".dkr.ecr.us-west-2.amazonaws.com/x"),
        ("image: ", "ami-", "0abcdef1234567890"),
        ("mail ", "jane.doe@", "institute.edu"),
        ("", "vpc-", "0a1b2c3d4e5f60718"),
    ],
)
def test_the_search_would_find_one(parts: tuple[str, ...]) -> None:
    assert private("".join(parts))
