"""The network that a deployment finds: what the stack's parameters name, made in moto."""

from __future__ import annotations

from shoal.aws import client

REGION = "us-west-2"


def network(certificate: str) -> dict[str, str]:
    """A network with two subnets, a load balancer and its HTTPS listener, as the functions' environment names
    them."""
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [_subnet(vpc, number, zone) for number, zone in enumerate("ab")]
    group = ec2.create_security_group(GroupName="instances", Description="instances", VpcId=vpc)["GroupId"]
    balancer = client("elbv2").create_load_balancer(
        Name="shared", Subnets=subnets, SecurityGroups=[group], Scheme="internal"
    )["LoadBalancers"][0]
    https = client("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]
    return {
        "HTTPS_LISTENER_ARN": https["ListenerArn"],
        "VPC_ID": vpc,
        "SUBNET_IDS": ",".join(subnets),
        "INSTANCE_SECURITY_GROUP": group,
        "LOAD_BALANCER_ARN": balancer["LoadBalancerArn"],
        "LOAD_BALANCER_DNS_NAME": balancer["DNSName"],
    }


def _subnet(vpc: str, number: int, zone: str) -> str:
    made = client("ec2").create_subnet(
        VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}"
    )
    return str(made["Subnet"]["SubnetId"])
