"""A request to deploy, in clean names or in the seeds' spellings, as a specification with its adjustments."""

from __future__ import annotations

import re
from typing import Any

from shoal.api.seed_bodies import InitiateDeployment
from shoal.api.validate import field_error, validated
from shoal.contracts.deployment import MINIMUM_ROOT_VOLUME_GIB, Adjustment, DeploymentSpec
from shoal.contracts.names import deployment_name_from
from shoal.errors import InvalidRequest
from shoal.fleet import spending

NAME_PATTERN = r"[a-z][a-z0-9-]{1,22}[a-z0-9]"
NAME_FIELDS = ("name", "StackName", "registry-name")
"""How a specification may spell its name."""
_VOLUME_FIELDS = ("root_volume_gib", "BlockDeviceVolumeGBRoot")
_IMAGE_VERSION_FIELDS = ("image_version", "ecr-version")
_ANY_IMAGE = frozenset({"latest", "default"})
_LONGEST_NAME = 24
_UNITS_PER_VCPU = 1024
_MOST_VCPUS = 16


def read_specification(tree: Any) -> tuple[DeploymentSpec, list[Adjustment]]:
    """What a person asks for, and what was changed to make it possible.

    Raises:
        InvalidRequest: listing the fields at fault.
    """
    fields = {key: value for key, value in _mapping(tree).items() if value is not None}
    if "registry-name" in fields:
        fields = _from_registry_words(fields)
    adjustments = [*_adjust_name(fields), *_adjust_volume(fields)]
    spec = validated(DeploymentSpec, fields, "the specification")
    if spec.budget_usd is not None and spending.price_of(spec) is None:
        types = ", ".join(spec.every_instance_type)
        detail = f"the price of {types} is not known: leave budget_usd out"
        raise field_error("budget_usd", detail)
    return spec, adjustments


def config_of(tree: Any) -> dict[str, Any]:
    """The inner part of ``{"config": {...}}``, the body of /initiate-deployment.

    Raises:
        InvalidRequest: it is not such a body.
    """
    config = validated(InitiateDeployment, tree, "the body").config
    return config.model_dump(by_alias=True, exclude_unset=True)


def _mapping(tree: Any) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise InvalidRequest("send an object that describes the deployment, see docs/deployments.md")
    return tree


def _from_registry_words(fields: dict[str, Any]) -> dict[str, Any]:
    """The words of the seeds' state machine input; ``ram`` is in MiB, ``cpu`` in vCPU, both may be text."""
    given = dict(fields)
    if str(given.pop("deployment-type", "deploy")).lower() != "deploy":
        raise field_error("deployment-type", "only deploy; an image is built by the workflow model-image.yml")
    given.pop("model_name", None)
    found: dict[str, Any] = {"serves": ["endpoint"]}
    if "model_location" not in given and "registered_model" not in given:
        found["registered_model"] = given["registry-name"]
    version = str(given.pop("model-version", "latest"))
    if version not in _ANY_IMAGE:
        found["model_version"] = _whole("model-version", version)
    if "ram" in given:
        found["memory_mib"] = _memory(given.pop("ram"))
    if "cpu" in given:
        found["cpu"] = _cpu(given.pop("cpu"))
    for field in _IMAGE_VERSION_FIELDS:
        if str(given.get(field)) in _ANY_IMAGE:
            given.pop(field)
        elif isinstance(given.get(field), int):
            given[field] = str(given[field])
    return found | given


def _adjust_name(fields: dict[str, Any]) -> list[Adjustment]:
    """Lower case, and hyphens for what a name cannot hold; a name that is too long stays, and is refused."""
    field = next((name for name in NAME_FIELDS if name in fields), None)
    given = fields.get(field or "")
    if field is None or not isinstance(given, str) or len(given) > _LONGEST_NAME:
        return []
    used = given if re.fullmatch(NAME_PATTERN, given) else deployment_name_from(given)
    if used == given or not used:
        return []
    fields[field] = used
    reason = "AWS names are made from it: lower case letters, digits and hyphens"
    return [Adjustment(field=field, given=given, used=used, reason=reason)]


def _adjust_volume(fields: dict[str, Any]) -> list[Adjustment]:
    field = next((name for name in _VOLUME_FIELDS if name in fields), None)
    given = fields.get(field or "")
    if field is None or type(given) is not int or not 1 <= given < MINIMUM_ROOT_VOLUME_GIB:
        return []
    fields[field] = MINIMUM_ROOT_VOLUME_GIB
    reason = "EC2 refuses a root volume smaller than the GPU AMI's snapshot of 30 GiB"
    used = str(MINIMUM_ROOT_VOLUME_GIB)
    return [Adjustment(field=field, given=str(given), used=used, reason=reason)]


def _whole(field: str, text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise field_error(field, "give a whole number from 1, or latest")
    return int(text)


def _memory(given: Any) -> int:
    found = re.fullmatch(r"([0-9]{1,9})(Mi|M|MB|Gi|G|GB)?", str(given))
    if not found:
        raise field_error("ram", 'give MiB, such as "2048" or "2048Mi"')
    return int(found[1]) * (1024 if (found[2] or "M").startswith("G") else 1)


def _cpu(given: Any) -> int:
    """vCPU up to 16; a larger number is CPU units already."""
    found = re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", str(given))
    if not found:
        raise field_error("cpu", 'give vCPU, such as "1" or "0.5"')
    number = float(found[0])
    return round(number * _UNITS_PER_VCPU) if number <= _MOST_VCPUS else round(number)
