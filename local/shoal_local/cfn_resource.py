"""The resource types that moto's CloudFormation lacks or has too thin: a base class and their register."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from shoal_local.iam import Iam

Properties = dict[str, Any]
ClientOf = Callable[[str], Any]

REGISTRY: dict[str, type[Resource]] = {}
_BOUND: dict[str, Any] = {}


def bind(client: ClientOf, iam: Iam) -> None:
    """Give the resources the clients and the identities of the running cloud."""
    _BOUND.update(client=client, iam=iam)


def client(service: str) -> Any:
    """An administrator's client of the running cloud: stable public API instead of moto's backends."""
    return _BOUND["client"](service)


def check_role(role_arn: str, actions: tuple[str, ...], refusal: str) -> None:
    """What a service does that tries a role before it accepts it.

    Raises:
        PermissionError: ``refusal`` in AWS's words, and the actions that lack.
    """
    lacking = [action for action in actions if not _BOUND["iam"].authorize_role(role_arn, action, "*")]
    if lacking:
        raise PermissionError(f"{refusal} (it lacks {', '.join(lacking)})")


class Resource:
    """One resource of a stack.

    A subclass sets ``kind`` and, where the template may name it, ``name_property``; it makes itself in
    :meth:`create` (setting ``physical_resource_id`` and ``attributes``), changes itself in :meth:`update` and
    goes in :meth:`delete`. moto's stack code reads the same names from its own models.
    """

    kind: ClassVar[str] = ""
    name_property: ClassVar[str | None] = None
    cf_resource_type: str = ""
    logical_resource_id: str = ""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name
        self.attributes: dict[str, Any] = {}

    def __init_subclass__(cls) -> None:
        REGISTRY[cls.kind] = cls

    def create(self, properties: Properties) -> None:
        raise NotImplementedError

    def update(self, properties: Properties) -> bool:
        """Change in place and answer True; False asks for a replacement: delete, then create."""
        del properties
        return False

    def delete(self) -> None:
        """Remove it."""
        raise NotImplementedError

    def get_cfn_attribute(self, name: str) -> Any:
        if name not in self.attributes:
            raise LookupError(f"{self.kind} has no attribute {name} here: it has {sorted(self.attributes)}")
        return self.attributes[name]

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Checked when the attribute is asked for: only the instance knows."""
        return bool(attr)

    def is_created(self) -> bool:
        return True


def lower_first(value: Any) -> Any:
    """CloudFormation's ``CamelCase`` keys as the ``camelCase`` of the JSON APIs, all the way down."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: lower_first(item) for key, item in value.items()}
    return [lower_first(item) for item in value] if isinstance(value, list) else value


def tags_of(properties: Properties) -> dict[str, str]:
    """``Tags`` as a map, from CloudFormation's list or map."""
    tags = properties.get("Tags") or []
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags}
