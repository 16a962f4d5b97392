"""EC2: the versions of a launch template."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, after, before, refused


def template_of(call: Call) -> Any:
    """moto's launch template, by id or name."""
    ec2 = call.backend("ec2")
    name, identity = call.get("LaunchTemplateName"), call.get("LaunchTemplateId")
    if name and name not in ec2.launch_template_name_to_ids:
        message = f"The specified launch template, with template name {name}, does not exist."
        raise refused("InvalidLaunchTemplateName.NotFoundException", message)
    identity = identity or ec2.launch_template_name_to_ids[name]
    if identity not in ec2.launch_templates:
        message = f"The specified launch template, with template ID {identity}, does not exist."
        raise refused("InvalidLaunchTemplateId.NotFound", message)
    return ec2.launch_templates[identity]


def version_exists(template: Any, number: str) -> bool:
    """Whether a version (a number, ``$Latest`` or ``$Default``) is there and was not deleted."""
    if number.startswith("$"):
        return True
    found = [one for one in template.versions if str(one.number) == number]
    return bool(found) and not getattr(found[0], "shoal_deleted", False)


@before("ec2-launch-templates", "DeleteLaunchTemplateVersions")
def versions_are_deleted_one_by_one(call: Call) -> dict[str, Any]:
    """EC2 API DeleteLaunchTemplateVersions (moto has none): answers which were deleted and which not; "You
    can't delete the default version"; a number is never given again."""
    template = template_of(call)
    done: list[dict[str, Any]] = []
    refusals: list[dict[str, Any]] = []
    for number in map(str, call.get("Versions", [])):
        named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name}
        one = named | {"VersionNumber": int(number)}
        code = _obstacle(template, number)
        if code:
            message = f"Launch template version {number} cannot be deleted."
            refusals.append(one | {"ResponseError": {"Code": code, "Message": message}})
            continue
        template.versions[int(number) - 1].shoal_deleted = True
        done.append(one)
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": done,
        "UnsuccessfullyDeletedLaunchTemplateVersions": refusals,
    }


@after("ec2-launch-templates", "CreateLaunchTemplateVersion")
def instances_start_from_a_later_version(call: Call, result: Any) -> None:
    """EC2 API CreateLaunchTemplateVersion, UserData: base64 as in the first version (moto keeps the bare text
    and breaks when an instance is to start from it)."""
    from moto.ec2.utils import parse_user_data

    number = int(result.result["LaunchTemplateVersion"]["VersionNumber"])
    data = template_of(call).versions[number - 1].data
    if isinstance(data.get("UserData"), str):
        data["UserData"] = parse_user_data(data["UserData"])


def _obstacle(template: Any, number: str) -> str:
    if not version_exists(template, number):
        return "launchTemplateVersionDoesNotExist"
    return "unexpectedError" if template.default_version_number == int(number) else ""


@after("ec2-launch-templates", "DescribeLaunchTemplateVersions")
def deleted_versions_are_not_described(call: Call, result: Any) -> None:
    """EC2 API DescribeLaunchTemplateVersions: a deleted version is gone (moto finds it by its place)."""
    templates = call.backend("ec2").launch_templates
    described = result.result["LaunchTemplateVersions"]
    result.result["LaunchTemplateVersions"] = [
        one
        for one in described
        if version_exists(templates[one["LaunchTemplateId"]], str(one["VersionNumber"]))
    ]


@before("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup")
def group_template_version_exists(call: Call) -> None:
    """Auto Scaling API LaunchTemplateSpecification, Version: an unknown one is a ValidationError (moto keeps
    it and breaks at the next launch)."""
    mixed = (call.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    wanted = call.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification") or {}
    ec2 = call.backend("ec2")
    identity = wanted.get("LaunchTemplateId") or ec2.launch_template_name_to_ids.get(
        wanted.get("LaunchTemplateName")
    )
    template, version = ec2.launch_templates.get(identity), str(wanted.get("Version") or "$Default")
    if template is not None and not version_exists(template, version):
        message = (
            "You must use a valid fully-formed launch template. The specified launch template version "
            f"{version} does not exist."
        )
        raise refused("ValidationError", message)
