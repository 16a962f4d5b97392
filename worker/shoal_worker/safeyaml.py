"""Reading a YAML that a stranger wrote: no objects, no aliases, no depth, no size."""

from __future__ import annotations

from typing import Any

import yaml

from shoal_worker.errors import TrackConfigError

MAXIMUM_CHARACTERS = 65_536
MAXIMUM_DEPTH = 8


def read_yaml(text: str) -> dict[str, Any]:
    """The mapping that ``text`` holds; an empty text is an empty mapping.

    Raises:
        TrackConfigError: not YAML, not a mapping, too long, too deep, or with aliases (which can grow without
        end).
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise TrackConfigError(
            f"the track configuration has {len(text)} characters: use at most {MAXIMUM_CHARACTERS}"
        )
    try:
        _inspect(text)
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrackConfigError(f"the track configuration is not YAML: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TrackConfigError("the track configuration is not a mapping: write `KEY: value` lines")
    return {str(key): item for key, item in value.items()}


def _inspect(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise TrackConfigError("the track configuration uses an alias (*name): write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAXIMUM_DEPTH:
            raise TrackConfigError(
                f"the track configuration is nested deeper than {MAXIMUM_DEPTH} levels: flatten it"
            )
