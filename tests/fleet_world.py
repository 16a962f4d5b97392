"""A small account with a fleet: moto with the strict rules, and a tiny worker in place of the real one."""

from __future__ import annotations

import base64
import itertools
import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shoal_local import fleet, strict
from shoal_local.clients import Clients
from shoal_local.clock import Clock
from shoal_local.faults import Faults
from shoal_local.fleet.engine import Fleet
from shoal_local.fleet.times import FleetTimes
from shoal_local.server import Server, moto_application, moto_request_handler, prepare_moto, reset_moto

SPEED = 60.0
QUICK = FleetTimes(
    boot=6, scaling_delay=3, fargate_start=3, settle=3, backoff_first=2, idle_scale_in=120,
    real_settle=5, real_grace=0.5, real_tick=0.02,
)  # fmt: skip
PATIENT = 3600
"""A grace period of a minute, really: a process may start slowly on a busy machine."""
WORKER = Path(__file__).parent / "integration" / "fleet_worker.py"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


class World:
    """The cloud's face, and an account with a network and roles."""

    def __init__(self, endpoint_url: str, clock: Clock) -> None:
        self.endpoint_url = endpoint_url
        self.clock = clock
        self.faults = Faults()
        self.stand_ins: dict[int, int] = {}
        self.roles_asked: list[tuple[str, str]] = []
        self._clients = Clients(endpoint_url, KEYS)
        self._names = itertools.count()
        self.fleet: Fleet

    def client(self, service: str) -> Any:
        return self._clients.client(service)

    def credentials_for_role(self, role_arn: str, session: str) -> dict[str, str]:
        if not role_arn:
            raise LookupError("there is no role")
        self.roles_asked.append((role_arn.rsplit("/", 1)[-1], session))
        return dict(KEYS)

    def make_network(self) -> None:
        ec2, iam = self.client("ec2"), self.client("iam")
        self.subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.roles = {
            name: iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
            for name in ("task", "execution", "instance")
        }
        iam.create_instance_profile(InstanceProfileName="instance")
        iam.add_role_to_instance_profile(InstanceProfileName="instance", RoleName="instance")
        self.client("logs").create_log_group(logGroupName="workers")

    def pond(self) -> Pond:
        """Names of its own, so that tests share the account."""
        return Pond(self, f"pond{next(self._names)}x{uuid.uuid4().hex[:6]}")


class Pond:
    """One deployment: everything in it is called ``name``."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name

    def client(self, service: str) -> Any:
        return self.world.client(service)

    def make_capacity(self, maximum: int = 2, joins: str = "") -> None:
        data = {
            "ImageId": "ami-12345678",
            "InstanceType": "g5.xlarge",
            "IamInstanceProfile": {"Name": "instance"},
            "UserData": base64.b64encode(f"ECS_CLUSTER={joins or self.name}\n".encode()).decode(),
        }
        self.client("ec2").create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=data)
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=self.name, MinSize=0, MaxSize=maximum, DesiredCapacity=0,
            LaunchTemplate={"LaunchTemplateName": self.name, "Version": "1"},
            VPCZoneIdentifier=",".join(self.world.subnets), NewInstancesProtectedFromScaleIn=True,
        )  # fmt: skip
        arn = self.scaling_group()["AutoScalingGroupARN"]
        self.client("ecs").create_capacity_provider(
            name=f"c-{self.name}",
            autoScalingGroupProvider={
                "autoScalingGroupArn": arn,
                "managedScaling": {"status": "ENABLED"},
                "managedTerminationProtection": "ENABLED",
            },
        )
        self.client("ecs").create_cluster(clusterName=self.name)
        self.client("ecs").put_cluster_capacity_providers(
            cluster=self.name, capacityProviders=[f"c-{self.name}"], defaultCapacityProviderStrategy=[]
        )

    def make_endpoint(self, port: int, kind: str = "instance") -> str:
        """An ALB with one listener that forwards to a new target group, whose ARN is answered."""
        elb = self.client("elbv2")
        balancer = elb.create_load_balancer(Name=self.name, Subnets=self.world.subnets)["LoadBalancers"][0]
        self.balancer = balancer["LoadBalancerArn"]
        group = elb.create_target_group(
            Name=self.name, Protocol="HTTP", Port=80, VpcId=self.world.vpc, TargetType=kind,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
        elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "12"}]
        )
        actions = [{"Type": "forward", "TargetGroupArn": group}]
        made = elb.create_listener(
            LoadBalancerArn=self.balancer, Port=port, Protocol="HTTP", DefaultActions=actions
        )
        self.listener = made["Listeners"][0]["ListenerArn"]
        self.group = str(group)
        return self.group

    def make_definition(self, fargate: bool = False, log_group: str = "workers", **environment: str) -> str:
        environment = {"SHOAL_DEPLOYMENT": self.name, **environment}
        container = {
            "name": "worker", "image": "example.org/worker:1", "memory": 512, "stopTimeout": 5,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080 if fargate else 0}],
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": log_group, "awslogs-stream-prefix": "w"},
            },
        }  # fmt: skip
        if not fargate:
            container["resourceRequirements"] = [{"type": "GPU", "value": "1"}]
        size = {
            "cpu": "256",
            "memory": "512",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
        }
        made = self.client("ecs").register_task_definition(
            family=self.name, containerDefinitions=[container], taskRoleArn=self.world.roles["task"],
            executionRoleArn=self.world.roles["execution"],
            **(size if fargate else {"requiresCompatibilities": ["EC2"]}),
        )  # fmt: skip
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def make_service(self, definition: str, group: str = "", count: int = 1, **more: Any) -> None:
        strategy = (
            {}
            if "launchType" in more
            else {"capacityProviderStrategy": [{"capacityProvider": f"c-{self.name}"}]}
        )
        balanced = {"targetGroupArn": group, "containerName": "worker", "containerPort": 8080}
        self.client("ecs").create_service(
            cluster=self.name, serviceName=self.name, taskDefinition=definition, desiredCount=count,
            loadBalancers=[balanced] if group else [],
            **{
                **({"healthCheckGracePeriodSeconds": PATIENT} if group else {}),
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
                **strategy,
                **more,
            },
        )  # fmt: skip

    def service(self) -> dict[str, Any]:
        return dict(
            self.client("ecs").describe_services(cluster=self.name, services=[self.name])["services"][0]
        )

    def rollout(self) -> str:
        return str(self.service()["deployments"][0]["rolloutState"])

    def events(self) -> str:
        return "\n".join(event["message"] for event in self.service()["events"])

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        ecs = self.client("ecs")
        arns = ecs.list_tasks(cluster=self.name, desiredStatus=status)["taskArns"]
        return list(ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"]) if arns else []

    def running(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks() if task["lastStatus"] == "RUNNING"]

    def scaling_group(self, name: str = "") -> dict[str, Any]:
        answer = self.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[name or self.name]
        )
        return dict(answer["AutoScalingGroups"][0])

    def target_states(self, group: str) -> list[str]:
        answer = self.client("elbv2").describe_target_health(TargetGroupArn=group)
        return [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]


@contextmanager
def running_world() -> Iterator[World]:
    """The account, until the end of a ``with``; then every process and thread is gone."""
    prepare_moto()
    reset_moto()
    strict.install()
    server = Server(moto_application(), 0, moto_request_handler())
    server.start()
    world = World(server.url, Clock(SPEED))
    world.make_network()
    world.fleet = fleet.start(world, [sys.executable, str(WORKER)], QUICK)
    try:
        yield world
    finally:
        world.fleet.stop()
        server.stop()
        strict.uninstall()
        reset_moto()


def eventually(condition: Callable[[], Any], seconds: float = 150.0) -> Any:
    """Wait for something true, and give it back."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.03)
    raise AssertionError(f"not within {seconds} s: {condition}")


def get(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body; status 0 when nothing listens."""
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except urllib.error.URLError:
        return 0, b""


def pids(needle: str) -> list[int]:
    """Processes whose environment holds ``needle``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and needle.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
