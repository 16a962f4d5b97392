"""What every scene of the demo shares: the cloud, the API, the folder of the results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoal_cli import cloud_process
from shoal_cli.api import Api
from shoal_cli.connection import Connection

DEPLOYMENT = "drifters"
MODEL = "drifters"
RECIPIENT = "scientist@example.org"


@dataclass
class Stage:
    """The demo's cloud and what has been made so far."""

    connection: Connection
    output: Path
    api: Api = field(init=False)
    before: list[list[str]] = field(init=False)
    videos: list[Path] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)
    deployment: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = Api(self.connection)
        self.before = self.inventory()

    def inventory(self) -> list[list[str]]:
        """Every resource in the account, read below the API that made them."""
        return [list(map(str, entry)) for entry in self._ask("inventory")]

    def mailbox(self) -> list[dict[str, Any]]:
        """The e-mails sent so far."""
        return list(self._ask("mailbox"))

    def _ask(self, what: str) -> Any:
        if self.connection.endpoint_url is None:
            raise RuntimeError("the demo runs in the embedded cloud only")
        return cloud_process.ask(self.connection.endpoint_url, what)
