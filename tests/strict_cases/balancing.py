"""What load balancers do and moto's do not."""

from __future__ import annotations

from strict_cases.behaviour import shows
from strict_world import Account, code_of


@shows("one_listener_per_port", "listener_remembers_its_settings")
def the_same_listener_twice_is_one(a: Account) -> None:
    balancer, group = a.balancer(), a.group()
    assert a.listener(balancer, group) == a.listener(balancer, group)
    assert code_of(lambda: a.listener(balancer, group, Protocol="HTTPS")) != ""


@shows("same_group_is_created_once", "group_remembers_its_settings")
def the_same_target_group_twice_is_one(a: Account) -> None:
    assert a.group() == a.group()
    assert code_of(lambda: a.group(Port=81)) == "DuplicateTargetGroupName"


@shows("groups_know_their_balancers")
def a_group_forgets_the_balancer_of_a_deleted_listener(a: Account) -> None:
    group = a.group()
    listener = a.listener(a.balancer(), group)
    a.elbv2.delete_listener(ListenerArn=listener)
    assert a.elbv2.describe_target_groups()["TargetGroups"][0].get("LoadBalancerArns", []) == []


def balancers_of(a: Account, group: str) -> list[str]:
    found = a.elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    return list(found.get("LoadBalancerArns", []))


@shows("groups_know_their_balancers")
def a_group_forgets_the_balancer_of_a_deleted_rule(a: Account) -> None:
    group = a.group("two")
    a.elbv2.delete_rule(RuleArn=a.rule(a.listener(a.balancer(), a.group()), group))
    assert balancers_of(a, group) == []


@shows("groups_know_their_balancers")
def a_group_forgets_the_balancer_of_a_changed_rule(a: Account) -> None:
    first, second = a.group(), a.group("two")
    rule = a.rule(a.listener(a.balancer(), first), second)
    forward = [{"Type": "forward", "TargetGroupArn": first}]
    a.elbv2.modify_rule(RuleArn=rule, Actions=forward)
    assert balancers_of(a, second) == []


@shows("groups_know_their_balancers")
def a_group_knows_the_balancer_of_a_changed_listener(a: Account) -> None:
    first, second = a.group(), a.group("two")
    listener = a.listener(a.balancer(), first)
    forward = [{"Type": "forward", "TargetGroupArn": second}]
    a.elbv2.modify_listener(ListenerArn=listener, DefaultActions=forward)
    assert (balancers_of(a, first), len(balancers_of(a, second))) == ([], 1)


@shows("groups_know_their_balancers")
def a_group_forgets_a_deleted_balancer(a: Account) -> None:
    group, balancer = a.group(), a.balancer()
    a.listener(balancer, group)
    a.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    assert balancers_of(a, group) == []


@shows("target_health_is_what_was_found")
def a_target_of_a_group_without_a_balancer_is_unused(a: Account) -> None:
    group = a.group(TargetType="ip")
    a.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.1", "Port": 80}])
    found = a.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert found[0]["TargetHealth"]["Reason"] == "Target.NotInUse"


@shows("missing_group_is_deleted")
def a_missing_target_group_is_deleted(a: Account) -> None:
    arn = a.group()
    a.elbv2.delete_target_group(TargetGroupArn=arn)
    assert code_of(lambda: a.elbv2.delete_target_group(TargetGroupArn=arn)) == ""


@shows(
    "targets_are_instances_or_addresses",
    "missing_targets_are_deregistered",
    "target_health_is_what_was_found",
)
def an_instance_is_a_target_on_each_of_its_ports(a: Account) -> None:
    group = a.attached(TargetType="ip")
    targets = [{"Id": "10.0.0.1", "Port": port} for port in (32768, 32769)]
    a.elbv2.register_targets(TargetGroupArn=group, Targets=targets)
    a.elbv2.deregister_targets(TargetGroupArn=group, Targets=[targets[0], {"Id": "10.0.0.2"}])
    found = a.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [one["Target"]["Port"] for one in found] == [32769]
    gone = a.elbv2.describe_target_health(TargetGroupArn=group, Targets=targets[:1])
    assert gone["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"
