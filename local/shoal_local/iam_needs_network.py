"""Permissions of EC2, load balancer and Auto Scaling calls."""

from __future__ import annotations

from typing import Any

from shoal_local.iam_needs import ANY, Need, linked_role, pass_role, rule, tag_context, tags_in, unknown
from shoal_local.names import arn, backend
from shoal_local.wire import Call

_TEMPLATE = {
    "DeleteLaunchTemplate", "CreateLaunchTemplateVersion", "ModifyLaunchTemplate",
    "DeleteLaunchTemplateVersions", "GetLaunchTemplateData",
}  # fmt: skip
_GROUP_RULES = {
    "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
    "RevokeSecurityGroupEgress", "DeleteSecurityGroup", "ModifySecurityGroupRules",
}  # fmt: skip
_INSTANCES = {"TerminateInstances", "StartInstances", "StopInstances", "RebootInstances"}
_LAUNCHED = ("instance/*", "volume/*", "network-interface/*", "image/*", "subnet/*", "security-group/*")


def _ec2(resource: str) -> str:
    if resource.startswith("image/"):
        return f"arn:aws:ec2:{backend('ec2').region_name}::{resource}"
    return arn("ec2", resource)


def _template_id(parameters: dict[str, Any]) -> str:
    """A launch template is named by its id in ARNs, by id or name in requests."""
    if parameters.get("LaunchTemplateId"):
        return str(parameters["LaunchTemplateId"])
    return str(backend("ec2").launch_template_name_to_ids.get(parameters.get("LaunchTemplateName"), "*"))


@rule("ec2")
def ec2(call: Call) -> list[Need]:
    action, p = f"ec2:{call.operation}", call.parameters
    if call.operation.startswith(("Describe", "Get")) and call.operation not in _TEMPLATE:
        return [Need(action)]
    if call.operation == "CreateLaunchTemplate":
        return [Need(action, (_ec2("launch-template/*"),)), *_create_tags(call)]
    if call.operation in _TEMPLATE:
        return [Need(action, (_ec2(f"launch-template/{_template_id(p)}"),))]
    if call.operation in {"CreateTags", "DeleteTags"}:
        return [Need(action, tuple(_ec2(f"{_kind(name)}/{name}") for name in p.get("Resources") or []))]
    if call.operation in _INSTANCES:
        return [Need(action, tuple(_ec2(f"instance/{name}") for name in p.get("InstanceIds") or []))]
    if call.operation in _GROUP_RULES:
        return [Need(action, (_ec2(f"security-group/{p.get('GroupId', '*')}"),))]
    if call.operation == "CreateSecurityGroup":
        resources = (_ec2("security-group/*"), _ec2(f"vpc/{p.get('VpcId', '*')}"))
        return [Need(action, resources), *_create_tags(call)]
    if call.operation == "RunInstances":
        return [Need(action, tuple(_ec2(name) for name in _LAUNCHED)), *_create_tags(call)]
    raise unknown(call)


def _kind(resource_id: str) -> str:
    prefixes = {
        "lt": "launch-template",
        "i": "instance",
        "sg": "security-group",
        "vol": "volume",
        "eni": "network-interface",
    }
    return prefixes.get(resource_id.split("-", 1)[0], "*")


def _create_tags(call: Call) -> list[Need]:
    """Tags on creation need ec2:CreateTags too (EC2 guide, "Tag resources during creation")."""
    return [
        Need("ec2:CreateTags", (_ec2(f"{each['ResourceType']}/*"),), {"ec2:createaction": (call.operation,)})
        for each in call.parameters.get("TagSpecifications") or []
        if each.get("Tags")
    ]


@rule("elbv2")
def load_balancing(call: Call) -> list[Need]:
    action, p = f"elasticloadbalancing:{call.operation}", call.parameters
    if call.operation.startswith("Describe"):
        return [Need(action)]
    if call.operation in {"AddTags", "RemoveTags"}:
        return [Need(action, tuple(p.get("ResourceArns") or []))]
    if call.operation == "SetRulePriorities":
        return [Need(action, tuple(each["RuleArn"] for each in p.get("RulePriorities") or []))]
    if call.operation == "CreateTargetGroup":
        return _created(call, arn("elasticloadbalancing", f"targetgroup/{p['Name']}/*"))
    if call.operation == "CreateLoadBalancer":
        return _created(call, arn("elasticloadbalancing", f"loadbalancer/app/{p['Name']}/*"))
    for key in ("RuleArn", "ListenerArn", "TargetGroupArn", "LoadBalancerArn"):
        if p.get(key):
            return [Need(action, (p[key],)), *_tags_of_child(call, p[key])]
    raise unknown(call)


def _created(call: Call, resource: str) -> list[Need]:
    return [Need(f"elasticloadbalancing:{call.operation}", (resource,)), *_add_tags(call, resource)]


def _tags_of_child(call: Call, parent: str) -> list[Need]:
    """A listener's ARN grows from its load balancer's, a rule's from its listener's."""
    if call.operation == "CreateListener":
        return _add_tags(call, parent.replace(":loadbalancer/", ":listener/") + "/*")
    if call.operation == "CreateRule":
        return _add_tags(call, parent.replace(":listener/", ":listener-rule/") + "/*")
    return []


def _add_tags(call: Call, resource: str) -> list[Need]:
    if not tags_in(call.parameters):
        return []
    return [
        Need(
            "elasticloadbalancing:AddTags",
            (resource,),
            {"elasticloadbalancing:createaction": (call.operation,)},
        )
    ]


def _group(name: str) -> str:
    return arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")


@rule("autoscaling")
def auto_scaling(call: Call) -> list[Need]:
    action, p = f"autoscaling:{call.operation}", call.parameters
    if call.operation.startswith("Describe"):
        return [Need(action)]
    if call.operation in {"CreateOrUpdateTags", "DeleteTags"}:
        return [Need(action, tuple({_group(tag["ResourceId"]) for tag in p.get("Tags") or []}))]
    if call.operation == "TerminateInstanceInAutoScalingGroup":
        return [Need(action, (_group(_group_of(p["InstanceId"])),))]
    if not p.get("AutoScalingGroupName"):
        raise unknown(call)
    needs = [Need(action, (_group(p["AutoScalingGroupName"]),))]
    if call.operation in {"CreateAutoScalingGroup", "UpdateAutoScalingGroup"}:
        needs += [*_launches(call), linked_role("autoscaling.amazonaws.com")]
    return needs


def _group_of(instance_id: str) -> str:
    groups = backend("autoscaling").autoscaling_groups
    for name, group in groups.items():
        if any(state.instance.id == instance_id for state in group.instance_states):
            return str(name)
    return "*"


def _launches(call: Call) -> list[Need]:
    """A group with a launch template needs the caller's own right to run it, roles and tags included."""
    template = call.parameters.get("LaunchTemplate")
    mixed = call.parameters.get("MixedInstancesPolicy") or {}
    template = template or (mixed.get("LaunchTemplate") or {}).get("LaunchTemplateSpecification")
    if not template:
        return []
    template_id = _template_id(template)
    run = (*(_ec2(name) for name in _LAUNCHED), _ec2(f"launch-template/{template_id}"))
    return [Need("ec2:RunInstances", run), *_launch_data_needs(template_id)]


def _launch_data_needs(template_id: str) -> list[Need]:
    template = backend("ec2").launch_templates.get(template_id)
    data = template.latest_version().data if template else {}
    needs: list[Need] = []
    for specification in data.get("TagSpecifications") or []:
        tags = {"Tags": specification.get("Tags") or specification.get("Tag") or []}
        context = {**tag_context(tags), "ec2:createaction": ("RunInstances",)}
        needs.append(
            Need("ec2:CreateTags", (_ec2(f"{specification.get('ResourceType', 'instance')}/*"),), context)
        )
    profile = data.get("IamInstanceProfile") or {}
    return needs + pass_role(_role_of(profile), "ec2.amazonaws.com")


def _role_of(profile: dict[str, Any]) -> str | None:
    name = profile.get("Name") or str(profile.get("Arn", "")).rsplit("/", 1)[-1]
    if not name:
        return None
    found = next((p for p in backend("iam").instance_profiles.values() if p.name == name), None)
    return str(found.roles[0].arn) if found and found.roles else None


@rule("application-autoscaling")
def application_auto_scaling(call: Call) -> list[Need]:
    action = f"application-autoscaling:{call.operation}"
    if call.operation.startswith("Describe"):
        return [Need(action, ANY)]
    p = call.parameters
    context = {
        "application-autoscaling:service-namespace": (str(p.get("ServiceNamespace")),),
        "application-autoscaling:scalable-dimension": (str(p.get("ScalableDimension")),),
    }
    return [Need(action, (arn("application-autoscaling", "scalable-target/*"),), context)]
