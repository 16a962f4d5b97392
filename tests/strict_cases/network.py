"""Load balancers, Auto Scaling, launch templates: what AWS refuses."""

from __future__ import annotations

from strict_cases.case import Case
from strict_world import Account

GONE = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/app/pond/1/2"


def many_listeners(a: Account) -> None:
    a.arn = a.balancer()
    a.target = a.group()
    for port in range(1, 4):
        a.listener(a.arn, a.target, port)


def one_rule(a: Account) -> None:
    a.target = a.group()
    a.arn = a.listener(a.balancer(), a.target)
    a.rule(a.arn, a.target, 2)


def many_rules(a: Account) -> None:
    a.target = a.group()
    a.arn = a.listener(a.balancer(), a.target)
    for priority in range(1, 4):
        a.rule(a.arn, a.target, priority)


def many_groups(a: Account) -> None:
    a.target = a.group("four")
    a.arn = a.balancer()
    listeners = [a.listener(a.arn, a.group("one"), 1), a.listener(a.arn, a.group("two"), 2)]
    a.rule(listeners[0], a.group("three"))


LISTENERS = [
    Case("listener_port_is_a_port", "ValidationError", lambda a: a.listener(a.balancer(), a.group(), 70000)),
    Case(
        "https_needs_a_certificate",
        "ValidationError",
        lambda a: a.listener(a.balancer(), a.group(), Protocol="HTTPS"),
    ),
    Case(
        "one_listener_per_port",
        "DuplicateListener",
        lambda a: a.listener(a.arn, a.group("two")),
        lambda a: a.__dict__.update(arn=a.balancer()) or a.listener(a.arn, a.group("one")),
    ),
    Case(
        "one_listener_per_port", "TooManyListeners", lambda a: a.listener(a.arn, a.target, 4), many_listeners
    ),
    Case(
        "listener_groups_belong_to_it",
        "TargetGroupAssociationLimit",
        lambda a: a.listener(a.balancer("other"), a.target),
        lambda a: a.__dict__.update(target=a.attached()),
    ),
    Case(
        "certificate_exists",
        "CertificateNotFound",
        lambda a: a.listener(
            a.balancer(),
            a.group(),
            Protocol="HTTPS",
            Certificates=[{"CertificateArn": "arn:aws:iam::123456789012:server-certificate/none"}],
        ),
    ),
    Case(
        "groups_of_a_balancer_are_limited",
        "TooManyUniqueTargetGroupsPerLoadBalancer",
        lambda a: a.listener(a.arn, a.target, 4),
        many_groups,
    ),
    Case(
        "rule_priority_is_in_range",
        "ValidationError",
        lambda a: a.rule(a.listener(a.balancer(), a.group()), a.group("two"), 50_001),
    ),
    Case(
        "rule_priority_is_in_range",
        "PriorityInUse",
        lambda a: a.rule(a.arn, a.target, 2),
        one_rule,
        stock_agrees=True,
    ),
    Case("tagged_things_exist", "ListenerNotFound", lambda a: a.elbv2.describe_tags(ResourceArns=[GONE])),
    Case(
        "tagged_things_exist",
        "ValidationError",
        lambda a: a.elbv2.describe_tags(ResourceArns=[a.group(f"g{n}") for n in range(21)]),
    ),
    Case("rules_are_limited", "TooManyRules", lambda a: a.rule(a.arn, a.target, 4), many_rules),
    Case("deleted_rule_exists", "RuleNotFound", lambda a: a.elbv2.delete_rule(RuleArn="arn:none")),
    Case(
        "protected_balancer_stays",
        "OperationNotPermitted",
        lambda a: a.elbv2.delete_load_balancer(LoadBalancerArn=a.arn),
        lambda a: (
            a.__dict__.update(arn=a.balancer())
            or a.elbv2.modify_load_balancer_attributes(
                LoadBalancerArn=a.arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "true"}]
            )
        ),
    ),
    Case("group_numbers_are_in_range", "ValidationError", lambda a: a.group(Port=70000)),
    Case("group_numbers_are_in_range", "ValidationError", lambda a: a.group(HealthyThresholdCount=11)),
    Case("matcher_is_a_success_code", "ValidationError", lambda a: a.group(Matcher={"HttpCode": "600"})),
    Case(
        "group_numbers_are_in_range",
        "ValidationError",
        lambda a: a.elbv2.modify_target_group(TargetGroupArn=a.group(), HealthyThresholdCount=11),
    ),
    Case(
        "matcher_is_a_success_code",
        "ValidationError",
        lambda a: a.elbv2.modify_target_group(TargetGroupArn=a.group(), Matcher={"HttpCode": "500"}),
    ),
    Case(
        "targets_are_instances_or_addresses",
        "InvalidTarget",
        lambda a: a.elbv2.register_targets(TargetGroupArn=a.group(), Targets=[{"Id": "i-none"}]),
    ),
]

SCALING = [
    Case("group_is_created_once", "AlreadyExists", lambda a: a.scaling_group(), lambda a: a.scaling_group()),
    Case("group_sizes_agree", "ValidationError", lambda a: a.scaling_group(DesiredCapacity=3)),
    Case("group_sizes_agree", "ValidationError", lambda a: a.scaling_group(MinSize=3)),
    Case(
        "group_template_exists",
        "ValidationError",
        lambda a: a.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="gpu",
            MinSize=0,
            MaxSize=1,
            VPCZoneIdentifier=a.subnets[0],
            LaunchTemplate={"LaunchTemplateId": "lt-none", "Version": "1"},
        ),
    ),
    Case(
        "group_template_version_exists",
        "ValidationError",
        lambda a: a.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName="gpu", LaunchTemplate={"LaunchTemplateName": "gpu", "Version": "2"}
        ),
        lambda a: a.scaling_group(),
    ),
    Case(
        "updated_sizes_agree",
        "ValidationError",
        lambda a: a.autoscaling.update_auto_scaling_group(AutoScalingGroupName="gpu", DesiredCapacity=3),
        lambda a: a.scaling_group(),
    ),
    Case(
        "desired_capacity_is_in_bounds",
        "ValidationError",
        lambda a: a.autoscaling.set_desired_capacity(AutoScalingGroupName="gpu", DesiredCapacity=3),
        lambda a: a.scaling_group(),
    ),
    Case(
        "group_is_deleted_later",
        "ResourceInUse",
        lambda a: a.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="gpu"),
        lambda a: a.scaling_group(DesiredCapacity=1),
    ),
    Case(
        "activities_are_told",
        "ValidationError",
        lambda a: a.autoscaling.describe_scaling_activities(AutoScalingGroupName="none"),
    ),
    Case(
        "terminated_instance_is_in_a_group",
        "ValidationError",
        lambda a: a.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=a.described_group()["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True
        ),
        lambda a: a.scaling_group(MinSize=1, DesiredCapacity=1),
    ),
    *[
        Case(rule, "ValidationError", lambda a, given=given: a.mixed_group(**given), lambda a: a.template())
        for rule, given in (
            ("policy_template_exists", {"template": "none"}),
            ("overrides_are_instance_types", {"types": ["g5.xlarge", "g5.xlarge"]}),
            ("overrides_are_instance_types", {"types": ["g5.xlarge", "g99.xlarge"]}),
            ("overrides_are_instance_types", {"types": ["g5.xlarge", "g5g.xlarge"]}),
            ("distribution_is_in_range", {"OnDemandBaseCapacity": -1}),
            ("distribution_is_in_range", {"OnDemandPercentageAboveBaseCapacity": 101}),
            ("distribution_is_in_range", {"SpotAllocationStrategy": "cheapest"}),
            ("group_template_version_exists", {"version": "2"}),
        )
    ],
    Case(
        "policy_stands_alone",
        "ValidationError",
        lambda a: a.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName="gpu", MixedInstancesPolicy=a.policy(), LaunchTemplate=a.version()
        ),
        lambda a: a.scaling_group(),
    ),
    Case(
        "template_name_is_valid",
        "InvalidLaunchTemplateName.MalformedException",
        lambda a: a.template("a b"),
    ),
    Case(
        "template_token_is_honoured",
        "IdempotentParameterMismatch",
        lambda a: a.template("two", ClientToken="t"),
        lambda a: a.template("one", ClientToken="t"),
    ),
    Case(
        "deleted_template_exists",
        "InvalidLaunchTemplateName.NotFoundException",
        lambda a: a.ec2.delete_launch_template(LaunchTemplateName="none"),
    ),
    Case(
        "deleted_template_exists",
        "InvalidLaunchTemplateId.NotFound",
        lambda a: a.ec2.delete_launch_template(LaunchTemplateId="lt-none"),
    ),
    Case(
        "used_security_group_stays",
        "DependencyViolation",
        lambda a: a.ec2.delete_security_group(GroupId=a.arn),
        lambda a: (
            a.__dict__.update(
                arn=a.ec2.create_security_group(GroupName="g", Description="g", VpcId=a.vpc)["GroupId"]
            )
            or a.balancer(SecurityGroups=[a.arn])
        ),
    ),
]
