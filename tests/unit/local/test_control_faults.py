"""POST /_shoal/faults: faults of calls and faults of the fleet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from shoal_local.control import Control
from shoal_local.faults import Faults
from werkzeug.test import Client


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "crash", "name": "reef"},
        {"service": "ecs", "operation": "CreateService", "code": "ServerException"},
    ],
    ids=["of the fleet", "of a call"],
)
def test_a_fault_is_set_listed_and_cleared(fault: dict[str, str]) -> None:
    # Given
    faults = Faults()
    cloud: Any = SimpleNamespace(faults=faults)
    client = Client(Control(cloud, lambda *_: []))
    base = "http://127.0.0.1"
    # When
    set_one = client.post("/_shoal/faults", base, json=fault)
    # Then
    assert set_one.json is not None
    assert fault.items() <= set_one.json[0].items()
    assert faults.fleet.hits("crash", "reef") is ("kind" in fault)
    assert client.delete("/_shoal/faults", base).json == []
    assert faults.listed() == []
