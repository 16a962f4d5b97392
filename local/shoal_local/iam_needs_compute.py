"""Permissions of ECS, Lambda, Step Functions and ECR calls."""

from __future__ import annotations

from typing import Any

from shoal_local.iam_needs import ANY, Need, linked_role, pass_role, rule, tags_in, unknown
from shoal_local.names import arn
from shoal_local.wire import Call

_CLUSTER = {
    "CreateCluster", "DeleteCluster", "UpdateCluster", "UpdateClusterSettings", "PutClusterCapacityProviders",
    "ListContainerInstances", "RegisterContainerInstance",
}  # fmt: skip
_SERVICE = {"CreateService", "UpdateService", "DeleteService", "ListServiceDeployments"}
# Operations on things inside a cluster: their kind, and where the request names them.
_KINDS = {
    "DescribeServices": ("service", "services", "service"),
    "DescribeTasks": ("task", "tasks", "task"),
    "StopTask": ("task", "tasks", "task"),
    "GetTaskProtection": ("task", "tasks", "task"),
    "UpdateTaskProtection": ("task", "tasks", "task"),
    "DescribeContainerInstances": ("container-instance", "containerInstances", "containerInstance"),
    "UpdateContainerInstancesState": ("container-instance", "containerInstances", "containerInstance"),
    "DeregisterContainerInstance": ("container-instance", "containerInstances", "containerInstance"),
}
_LISTS = {
    "ListClusters", "ListTaskDefinitions", "ListTaskDefinitionFamilies", "DescribeTaskDefinition",
    "DeregisterTaskDefinition", "ListServices", "ListTasks", "ListAccountSettings", "DiscoverPollEndpoint",
}  # fmt: skip
_CAPACITY = {
    "CreateCapacityProvider",
    "DeleteCapacityProvider",
    "UpdateCapacityProvider",
    "DescribeCapacityProviders",
}


def _short(name: Any) -> str:
    return str(name or "default").rsplit("/", 1)[-1]


def _ecs_arn(kind: str, cluster: str, name: str) -> str:
    return name if name.startswith("arn:") else arn("ecs", f"{kind}/{cluster}/{name}")


def _context(call: Call) -> dict[str, tuple[str, ...]]:
    if not call.parameters.get("cluster"):
        return {}
    return {"ecs:cluster": (arn("ecs", f"cluster/{_short(call.parameters['cluster'])}"),)}


def _tagging(call: Call, resources: tuple[str, ...]) -> list[Need]:
    """Tags on creation need ecs:TagResource too (ECS guide, "Tagging authorization")."""
    if not tags_in(call.parameters):
        return []
    return [Need("ecs:TagResource", resources, {"ecs:createaction": (call.operation,)})]


@rule("ecs")
def ecs(call: Call) -> list[Need]:
    action, p = f"ecs:{call.operation}", call.parameters
    if call.operation == "ListTasks" and p.get("containerInstance"):
        where = _ecs_arn("container-instance", _short(p.get("cluster")), str(p["containerInstance"]))
        return [Need(action, (where,), _context(call))]
    if call.operation in _LISTS:
        return [Need(action, ANY, _context(call))]
    if call.operation in _CAPACITY:
        return _capacity_provider(call)
    if call.operation == "RegisterTaskDefinition":
        return _task_definition(call)
    resources = _ecs_resources(call)
    needs = [Need(action, resources, _context(call))]
    if call.operation.startswith(("Create", "Run")):
        needs += [*_tagging(call, resources), linked_role("ecs.amazonaws.com")]
    overrides = p.get("overrides") or {}
    for key in ("taskRoleArn", "executionRoleArn"):
        needs += pass_role(overrides.get(key), "ecs-tasks.amazonaws.com")
    return needs


def _ecs_resources(call: Call) -> tuple[str, ...]:
    p, cluster = call.parameters, _short(call.parameters.get("cluster") or call.parameters.get("clusterName"))
    if call.operation in _CLUSTER:
        return (arn("ecs", f"cluster/{cluster}"),)
    if call.operation in _SERVICE:
        return (_ecs_arn("service", cluster, str(p.get("service") or p.get("serviceName"))),)
    if call.operation in _KINDS:
        kind, plural, singular = _KINDS[call.operation]
        names = p.get(plural) or ([p[singular]] if p.get(singular) else ["*"])
        return tuple(_ecs_arn(kind, cluster, str(name)) for name in names)
    if call.operation == "DescribeClusters":
        return tuple(arn("ecs", f"cluster/{_short(name)}") for name in p.get("clusters") or ["default"])
    if call.operation in {"RunTask", "StartTask", "DeleteTaskDefinitions"}:
        names = p.get("taskDefinitions") or [p["taskDefinition"]]
        return tuple(n if n.startswith("arn:") else arn("ecs", f"task-definition/{n}") for n in names)
    if p.get("resourceArn") or p.get("serviceDeploymentArns"):
        return tuple(p.get("serviceDeploymentArns") or [str(p["resourceArn"])])
    raise unknown(call)


def _task_definition(call: Call) -> list[Need]:
    p = call.parameters
    resources = (arn("ecs", f"task-definition/{p['family']}:*"),)
    needs = [Need("ecs:RegisterTaskDefinition", resources), *_tagging(call, resources)]
    for key in ("taskRoleArn", "executionRoleArn"):
        needs += pass_role(p.get(key), "ecs-tasks.amazonaws.com")
    return needs


def _capacity_provider(call: Call) -> list[Need]:
    """Making one also tags its group, in the caller's name (ECS guide, "Capacity providers")."""
    p = call.parameters
    names = (
        [p[key] for key in ("name", "capacityProvider") if p.get(key)] or p.get("capacityProviders") or ["*"]
    )
    resources = tuple(n if n.startswith("arn:") else arn("ecs", f"capacity-provider/{n}") for n in names)
    needs = [Need(f"ecs:{call.operation}", resources)]
    if call.operation == "CreateCapacityProvider":
        needs += _tagging(call, resources)
        needs.append(
            Need("autoscaling:CreateOrUpdateTags", (p["autoScalingGroupProvider"]["autoScalingGroupArn"],))
        )
    return needs


@rule("lambda")
def lambda_(call: Call) -> list[Need]:
    action = "lambda:InvokeFunction" if call.operation == "Invoke" else f"lambda:{call.operation}"
    name = call.parameters.get("FunctionName")
    if not name:
        return [Need(action)]
    return [Need(action, (name if name.startswith("arn:") else arn("lambda", f"function:{name}"),))]


@rule("stepfunctions")
def states(call: Call) -> list[Need]:
    p = call.parameters
    resource = p.get("executionArn") or p.get("stateMachineArn") or p.get("resourceArn") or "*"
    needs = [Need(f"states:{call.operation}", (resource,))]
    return needs + pass_role(p.get("roleArn"), "states.amazonaws.com")


@rule("ecr")
def ecr(call: Call) -> list[Need]:
    name = call.parameters.get("repositoryName")
    return [Need(f"ecr:{call.operation}", (arn("ecr", f"repository/{name}"),) if name else ANY)]
