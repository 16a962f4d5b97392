"""PyYAML's safe loader without what can multiply: no anchors, aliases, tags, repeated keys, deep nesting."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len({repr(key) for key in keys}):
            raise ConstructorError(None, None, "a key is named twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load(text: str, depth: int) -> Any:
    """The one document of ``text``.

    Raises:
        yaml.YAMLError: it is not YAML, or it uses something refused here.
        ValueError: a scalar has no value (an integer too long, a date that does not exist).
    """
    _check_events(text, depth)
    return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)


def _check_events(text: str, depth: int) -> None:
    """The event stream is read without recursion, so a thousand brackets cost nothing."""
    level = 0
    for event in yaml.parse(text, Loader=_Loader):
        marked = getattr(event, "anchor", None) or getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or marked:
            raise yaml.YAMLError("anchors and tags are refused")
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
        if level > depth:
            raise yaml.YAMLError(f"nested deeper than {depth} levels")
