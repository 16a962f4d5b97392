"""Shorthand for an account in which AWS's rules are tried, with moto in this process."""

from __future__ import annotations

import functools
import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # moto reads it whenever an account is made, at 0.2 s each
REGION = "us-west-2"
CONTAINER: dict[str, Any] = {
    "name": "worker",
    "image": "example.org/worker:1",
    "memory": 512,
    "portMappings": [{"containerPort": 8080, "hostPort": 0}],
}


@functools.cache
def client(service: str) -> Any:
    """One client per service for the whole run: making one costs more than most tests."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": REGION}
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return boto3.Session(**keys).client(service, config=config)


class Account:
    """What a rule's case needs, made on demand."""

    def __getattr__(self, service: str) -> Any:
        return client(service.replace("_", "-"))

    @functools.cached_property
    def subnets(self) -> list[str]:
        return [subnet["SubnetId"] for subnet in self.ec2.describe_subnets()["Subnets"]][:2]

    @functools.cached_property
    def vpc(self) -> str:
        return str(self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"])

    def balancer(self, name: str = "pond", **more: Any) -> str:
        made = self.elbv2.create_load_balancer(Name=name, Subnets=self.subnets, **more)
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def group(self, name: str = "fish", **more: Any) -> str:
        given = {"Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "TargetType": "instance", **more}
        return str(self.elbv2.create_target_group(Name=name, **given)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, balancer: str, group: str, port: int = 5001, **more: Any) -> str:
        given = {"Protocol": "HTTP", "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}], **more}
        made = self.elbv2.create_listener(LoadBalancerArn=balancer, Port=port, **given)
        return str(made["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, group: str, priority: int = 1) -> str:
        made = self.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return str(made["Rules"][0]["RuleArn"])

    def attached(self, **more: Any) -> str:
        """A target group with a listener."""
        group = self.group(**more)
        self.listener(self.balancer(), group)
        return group

    def template(self, name: str = "gpu", **more: Any) -> str:
        data = {"ImageId": "ami-12345678", "InstanceType": "g5.xlarge"}
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data, **more)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def scaling_group(self, name: str = "gpu", **more: Any) -> str:
        """An Auto Scaling group with a launch template of its name; its ARN."""
        if not self.ec2.describe_launch_templates(
            Filters=[{"Name": "launch-template-name", "Values": [name]}]
        )["LaunchTemplates"]:
            self.template(name)
        sizes = {"MinSize": 0, "MaxSize": 2, "NewInstancesProtectedFromScaleIn": True, **more}
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
            VPCZoneIdentifier=",".join(self.subnets),
            **sizes,
        )
        return str(self.described_group(name)["AutoScalingGroupARN"])

    @staticmethod
    def version(name: str = "gpu", number: str = "1") -> dict[str, str]:
        return {"LaunchTemplateName": name, "Version": number}

    def policy(
        self, types: tuple[str, ...] = ("g5.xlarge", "g6.xlarge"), template: str = "gpu", version: str = "1",
        **distribution: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A mixed instances policy: all on Spot."""
        launch = {
            "LaunchTemplateSpecification": self.version(template, version),
            "Overrides": [{"InstanceType": one} for one in types],
        }
        given = {"OnDemandPercentageAboveBaseCapacity": 0, **distribution}
        return {"LaunchTemplate": launch, "InstancesDistribution": given}

    def mixed_group(self, **policy: Any) -> None:
        """An Auto Scaling group ``gpu`` with such a policy."""
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="gpu", MixedInstancesPolicy=self.policy(**policy), MinSize=0, MaxSize=2,
            VPCZoneIdentifier=",".join(self.subnets),
        )  # fmt: skip

    def described_group(self, name: str = "gpu") -> dict[str, Any]:
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict(found["AutoScalingGroups"][0]) if found["AutoScalingGroups"] else {}

    def provider(self, name: str = "reef", group: str = "", **more: Any) -> str:
        given = {
            "autoScalingGroupArn": group or self.scaling_group(name),
            "managedScaling": {"status": "ENABLED"},
            "managedTerminationProtection": "ENABLED",
            **more,
        }
        self.ecs.create_capacity_provider(name=name, autoScalingGroupProvider=given)
        return name

    def cluster(self, name: str = "fish", providers: tuple[str, ...] = ()) -> str:
        self.ecs.create_cluster(clusterName=name)
        if providers:
            self.associate(list(providers), name)
            self.ecs.describe_clusters(clusters=[name])
            self.ecs.describe_clusters(clusters=[name])
        return name

    def associate(self, providers: list[str], cluster: str = "fish") -> None:
        self.ecs.put_cluster_capacity_providers(
            cluster=cluster, capacityProviders=providers, defaultCapacityProviderStrategy=[]
        )

    def definition(self, container: dict[str, Any] | None = None, **more: Any) -> str:
        given = {"family": "fish", **more}
        containers = [{**CONTAINER, **(container or {})}]
        made = self.ecs.register_task_definition(containerDefinitions=containers, **given)
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def service(self, **more: Any) -> dict[str, Any]:
        given = {"cluster": "fish", "serviceName": "fish", "desiredCount": 0, **more}
        given.setdefault("taskDefinition", "fish")
        return dict(self.ecs.create_service(**given)["service"])

    def stocked(self) -> str:
        """A cluster with a task definition; its ARN."""
        self.cluster()
        return self.definition()

    def described_service(self, name: str = "fish") -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster="fish", services=[name])["services"][0])


def code_of(call: Any) -> str:
    """The error code that a call ends with; an empty string when it succeeds."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
