"""What AWS does and moto 5.2.5 does not: each function fails on stock moto and names the rule it shows."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from strict_cases import balancing, machines, watching
from strict_cases.behaviour import BEHAVIOURS, SHOWN, Behaviour, shows
from strict_world import Account, code_of

__all__ = ["BEHAVIOURS", "SHOWN", "Behaviour", "balancing", "machines", "watching"]


def states(read: Callable[[], Any], reads: int = 3) -> list[Any]:
    return [read() for _ in range(reads)]


@shows("service_is_created_once")
def the_same_client_token_answers_the_same_service(a: Account) -> None:
    a.stocked()
    first = a.service(clientToken="t", desiredCount=1)
    assert a.service(clientToken="t", desiredCount=1)["createdAt"] == first["createdAt"]


@shows("service_keeps_what_it_was_given")
def a_service_keeps_what_it_was_given(a: Account) -> None:
    a.definition()
    a.cluster(providers=(a.provider(),))
    given = {
        "capacityProviderStrategy": [{"capacityProvider": "reef", "weight": 1, "base": 0}],
        "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100},
        "enableECSManagedTags": True,
    }
    a.service(**given)
    found = a.described_service()
    assert {name: found[name] for name in given} == given
    assert "launchType" not in found


@shows("deleted_service_drains_first", "describe_shows_the_passing_state", "inactive_services_are_not_listed")
def a_deleted_service_drains_before_it_is_inactive(a: Account) -> None:
    a.stocked()
    a.service()
    assert a.ecs.delete_service(cluster="fish", service="fish")["service"]["status"] == "DRAINING"
    assert a.ecs.list_services(cluster="fish")["serviceArns"]
    assert states(lambda: a.described_service()["status"], 2) == ["INACTIVE", "INACTIVE"]
    assert a.ecs.list_services(cluster="fish")["serviceArns"] == []


@shows("update_starts_a_deployment_not_tasks", "only_active_services_are_updated")
def an_update_starts_a_deployment(a: Account) -> None:
    a.stocked()
    a.service()
    a.ecs.update_service(cluster="fish", service="fish", desiredCount=2)
    scaled = a.described_service()
    assert (scaled["runningCount"], len(scaled["deployments"])) == (0, 1)
    second = a.definition()
    a.ecs.update_service(cluster="fish", service="fish", taskDefinition=second)
    found = a.described_service()["deployments"]
    assert [one["status"] for one in found] == ["PRIMARY", "ACTIVE"]
    assert (found[0]["taskDefinition"], found[0]["rolloutState"]) == (second, "IN_PROGRESS")


@shows("versions_are_deleted_one_by_one", "deleted_versions_are_not_described")
def a_deleted_template_version_leaves_its_number_behind(a: Account) -> None:
    name = {"LaunchTemplateName": "gpu"}
    a.template()
    for _ in range(2):
        a.ec2.create_launch_template_version(**name, LaunchTemplateData={"InstanceType": "g6.xlarge"})
    answer = a.ec2.delete_launch_template_versions(**name, Versions=["3", "1", "9"])
    deleted = [one["VersionNumber"] for one in answer["SuccessfullyDeletedLaunchTemplateVersions"]]
    kept = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert (deleted, [one["VersionNumber"] for one in kept]) == ([3], [1, 9])
    assert kept[1]["ResponseError"]["Code"] == "launchTemplateVersionDoesNotExist"
    found = a.ec2.describe_launch_template_versions(**name)["LaunchTemplateVersions"]
    assert sorted(one["VersionNumber"] for one in found) == [1, 2]
    made = a.ec2.create_launch_template_version(**name, LaunchTemplateData={"InstanceType": "g6.xlarge"})
    assert made["LaunchTemplateVersion"]["VersionNumber"] == 4


@shows("instances_start_from_a_later_version")
def a_group_starts_instances_from_a_later_version(a: Account) -> None:
    a.scaling_group()
    data = {"ImageId": "ami-12345678", "InstanceType": "g6.xlarge", "UserData": "IyEvYmluL2Jhc2g="}
    a.ec2.create_launch_template_version(LaunchTemplateName="gpu", LaunchTemplateData=data)
    a.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="gpu",
        LaunchTemplate={"LaunchTemplateName": "gpu", "Version": "2"},
        DesiredCapacity=1,
    )
    (instance,) = a.described_group()["Instances"]
    assert instance["InstanceType"] == "g6.xlarge"


@shows("cluster_is_created_once")
def the_same_cluster_twice_keeps_its_providers(a: Account) -> None:
    a.cluster(providers=(a.provider(),))
    assert a.ecs.create_cluster(clusterName="fish")["cluster"]["capacityProviders"] == ["reef"]


@shows("cluster_counts_are_counted", "inactive_clusters_are_not_listed")
def a_cluster_counts_and_an_inactive_one_is_not_listed(a: Account) -> None:
    a.stocked()
    a.service(desiredCount=1)
    found = a.ecs.describe_clusters(clusters=["fish"])["clusters"][0]
    assert (found["activeServicesCount"], found["pendingTasksCount"]) == (1, 0)
    a.cluster("empty")
    a.ecs.delete_cluster(cluster="empty")
    assert [arn.rsplit("/", 1)[-1] for arn in a.ecs.list_clusters()["clusterArns"]] == ["fish"]


@shows("attachments_are_updated_later")
def attachments_are_updated_later(a: Account) -> None:
    a.cluster()
    a.associate([a.provider()])
    read = lambda: a.ecs.describe_clusters(clusters=["fish"])["clusters"][0]["attachmentsStatus"]  # noqa: E731
    assert states(read) == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_COMPLETE"]


@shows("deleted_provider_is_unused_and_goes_later", "providers_are_described_without_names")
def a_deleted_provider_is_inactive_later(a: Account) -> None:
    a.provider()
    assert [one["name"] for one in a.ecs.describe_capacity_providers()["capacityProviders"]] == ["reef"]
    deleted = a.ecs.delete_capacity_provider(capacityProvider="reef")["capacityProvider"]
    assert (deleted["status"], deleted["updateStatus"]) == ("ACTIVE", "DELETE_IN_PROGRESS")
    read = lambda: a.ecs.describe_capacity_providers(capacityProviders=["reef"])["capacityProviders"][0]  # noqa: E731
    assert states(lambda: read()["status"]) == ["ACTIVE", "INACTIVE", "INACTIVE"]
    a.provider("reef", a.described_group("reef")["AutoScalingGroupARN"])


@shows("managed_scaling_tags_its_group")
def managed_scaling_tags_its_group(a: Account) -> None:
    a.provider()
    assert "AmazonECSManaged" in [tag["Key"] for tag in a.described_group("reef")["Tags"]]


@shows("instance_has_its_resources")
def an_instance_has_what_its_agent_says(a: Account) -> None:
    group = a.scaling_group(DesiredCapacity=1)
    a.cluster(providers=(a.provider(group=group),))
    identity = a.described_group()["Instances"][0]["InstanceId"]
    resources = [{"name": "GPU", "type": "STRINGSET", "stringSetValue": ["GPU-0"]}]
    a.ecs.register_container_instance(
        cluster="fish", instanceIdentityDocument=f'{{"instanceId": "{identity}"}}', totalResources=resources
    )
    arns = a.ecs.list_container_instances(cluster="fish")["containerInstanceArns"]
    found = a.ecs.describe_container_instances(cluster="fish", containerInstances=arns)["containerInstances"][
        0
    ]
    assert found["registeredResources"][0]["stringSetValue"] == ["GPU-0"]
    assert found["capacityProviderName"] == "reef"


def _an_instance_with_a_task(a: Account) -> tuple[str, Any, Any]:
    """The instance's ARN, its task, and all tasks of the cluster in moto."""
    from moto.backends import get_backend

    an_instance_has_what_its_agent_says(a)
    a.definition()
    (arn,) = a.ecs.list_container_instances(cluster="fish")["containerInstanceArns"]
    a.ecs.start_task(cluster="fish", taskDefinition="fish", containerInstances=[arn])
    backend: Any = get_backend("ecs")["123456789012"]["us-west-2"]
    (task,) = backend.tasks["fish"].values()
    return arn, task, backend.tasks["fish"]


@shows("instances_count_their_tasks")
def an_instance_counts_the_tasks_that_a_service_put_there(a: Account) -> None:
    arn, task, _ = _an_instance_with_a_task(a)
    task.last_status = "PROVISIONING"  # as the service scheduler places it
    found = a.ecs.describe_container_instances(cluster="fish", containerInstances=[arn])
    (instance,) = found["containerInstances"]
    assert (instance["runningTasksCount"], instance["pendingTasksCount"]) == (0, 1)


@shows("tasks_of_an_instance_are_listed", "stopped_task_ends_by_itself")
def a_task_that_is_stopped_is_not_stopped_yet(a: Account) -> None:
    arn, task, tasks = _an_instance_with_a_task(a)
    tasks["waits"] = SimpleNamespace(
        task_arn="waits", cluster_arn=task.cluster_arn, container_instance_arn=None, desired_status="RUNNING"
    )
    found = a.ecs.list_tasks(cluster="fish", containerInstance=arn)["taskArns"]
    stopped = a.ecs.stop_task(cluster="fish", task=found[0])["task"]
    assert (stopped["desiredStatus"], stopped["lastStatus"]) == ("STOPPED", "RUNNING")
    assert a.ecs.list_tasks(cluster="fish", containerInstance=arn)["taskArns"] == []
    assert code_of(lambda: a.ecs.stop_task(cluster="fish", task="none")) == "InvalidParameterException"


@shows("revisions_are_never_reused", "last_revision_is_remembered")
def a_revision_is_never_used_again(a: Account) -> None:
    first = a.definition()
    a.ecs.deregister_task_definition(taskDefinition=first)
    a.ecs.delete_task_definitions(taskDefinitions=[first])
    assert a.definition().endswith("fish:2")
    assert a.ecs.list_task_definitions(familyPrefix="fish")["taskDefinitionArns"][0].endswith("fish:2")


@shows("protection_is_for_running_service_tasks", "protection_is_told")
def unknown_tasks_cannot_be_protected(a: Account) -> None:
    a.cluster()
    answer = a.ecs.update_task_protection(cluster="fish", tasks=["none"], protectionEnabled=True)
    assert answer["failures"] == [{"arn": "none", "reason": "MISSING"}]
    assert a.ecs.get_task_protection(cluster="fish", tasks=["none"])["failures"][0]["reason"] == "MISSING"


@shows("group_is_deleted_later", "deletion_in_progress_is_shown")
def a_forced_deletion_terminates_protected_instances_and_takes_time(a: Account) -> None:
    a.scaling_group(DesiredCapacity=1)
    identity = a.described_group()["Instances"][0]["InstanceId"]
    a.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="gpu", ForceDelete=True)
    assert code_of(lambda: a.scaling_group()) == "AlreadyExists"
    assert states(lambda: a.described_group().get("Status"), 2) == ["Delete in progress", None]
    found = a.ec2.describe_instances(InstanceIds=[identity])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "terminated"


@shows("policy_is_kept", "policy_is_given_back")
def a_change_of_the_size_leaves_the_mixed_instances_policy(a: Account) -> None:
    a.template()
    a.mixed_group()
    a.autoscaling.update_auto_scaling_group(AutoScalingGroupName="gpu", MaxSize=0)
    launch = a.described_group()["MixedInstancesPolicy"]["LaunchTemplate"]
    assert [one["InstanceType"] for one in launch["Overrides"]] == ["g5.xlarge", "g6.xlarge"]


@shows("template_token_is_honoured", "template_request_is_kept", "template_token_is_remembered")
def the_same_template_token_answers_the_same_template(a: Account) -> None:
    assert a.template(ClientToken="t") == a.template(ClientToken="t")


@shows("template_token_is_honoured", "template_request_is_kept", "template_token_is_remembered")
def the_same_template_token_answers_the_same_version(a: Account) -> None:
    a.template()
    request = {"LaunchTemplateName": "gpu", "LaunchTemplateData": {"InstanceType": "g6.xlarge"}}
    made = [a.ec2.create_launch_template_version(**request, ClientToken=token) for token in "ttu"]
    assert [one["LaunchTemplateVersion"]["VersionNumber"] for one in made] == [2, 2, 3]


@shows("transaction_token_is_honoured", "transaction_is_kept", "transaction_token_is_remembered")
def a_transaction_is_done_once_per_token(a: Account) -> None:
    a.dynamodb.create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )  # fmt: skip
    add = {"Key": {"pk": {"S": "a"}}, "UpdateExpression": "ADD n :one", "TableName": "t"}
    step = {"Update": {**add, "ExpressionAttributeValues": {":one": {"N": "1"}}}}
    for _ in range(2):
        a.dynamodb.transact_write_items(TransactItems=[step], ClientRequestToken="t")
    assert a.dynamodb.get_item(TableName="t", Key={"pk": {"S": "a"}})["Item"]["n"] == {"N": "1"}


@shows("queue_name_rests", "deleted_queue_is_remembered")
def a_deleted_queue_name_rests(a: Account) -> None:
    url = a.sqs.create_queue(QueueName="videos")["QueueUrl"]
    a.sqs.delete_queue(QueueUrl=url)
    assert code_of(lambda: a.sqs.create_queue(QueueName="videos")).endswith("QueueDeletedRecently")
    assert code_of(lambda: a.sqs.create_queue(QueueName="others")) == ""
