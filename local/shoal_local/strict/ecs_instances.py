"""ECS container instances: they have what their agent says."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, after, before


@after("ecs", "RegisterContainerInstance")
def instance_has_its_resources(call: Call, result: Any) -> None:
    """ECS API RegisterContainerInstance, totalResources: what the instance registers, GPUs too (moto:
    always 4096 CPU units and 7482 MiB, no GPU); the capacity provider of its Auto Scaling group."""
    instance = result.result["containerInstance"]
    total = {resource["name"]: dict(resource) for resource in call.get("totalResources", [])}
    for attribute in ("registered_resources", "remaining_resources"):
        kept = [resource for resource in getattr(instance, attribute) if resource["name"] not in total]
        setattr(instance, attribute, [*(dict(resource) for resource in total.values()), *kept])
    machine = call.backend("ec2").get_instance_by_id(instance.ec2_instance_id)
    group = getattr(machine, "autoscaling_group", None)
    for provider in call.backend("ecs").capacity_providers.values():
        arn = provider.auto_scaling_group_provider["autoScalingGroupArn"]
        if group is not None and arn.rsplit("/", 1)[-1] == group.name and provider.status == "ACTIVE":
            instance.capacity_provider_name = provider.name


@before("ecs", "DescribeContainerInstances")
def instances_count_their_tasks(call: Call) -> None:
    """ECS API ContainerInstance, runningTasksCount and pendingTasksCount: the tasks of services count too
    (moto: only those of RunTask)."""
    backend = call.backend("ecs")
    cluster = str(call.get("cluster", "default")).rsplit("/", 1)[-1]
    tasks = [task for task in backend.tasks.get(cluster, {}).values() if task.last_status != "STOPPED"]
    for instance in backend.container_instances.get(cluster, {}).values():
        mine = [one for one in tasks if one.container_instance_arn == instance.container_instance_arn]
        instance.running_tasks_count = len([one for one in mine if one.last_status == "RUNNING"])
        instance.pending_tasks_count = len(mine) - instance.running_tasks_count
