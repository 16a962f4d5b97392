"""The VPC and subnets that ``env/*.json`` names, made in the account under those very ids; a certificate.

On AWS a person puts the ids of their own network there; here the network comes to the ids, so that the same
files deploy, also with the stock SAM CLI.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shoal_local.names import REGION, backend
from shoal_local.patches import contract

_VPC_ID = contract("moto.ec2.models.vpcs", "random_vpc_id", "")
contract(
    "moto.acm.models", "AWSCertificateManagerBackend.request_certificate",
    "self domain_name idempotency_token subject_alt_names tags cert_authority_arn cert_options",
)  # fmt: skip
_SUBNET_ID = contract("moto.ec2.models.subnets", "random_subnet_id", "")


def make_networks(folder: Path) -> None:
    """Make what the files in ``folder`` name and the account lacks."""
    for file in sorted(folder.glob("*.json")):
        values = json.loads(file.read_text(encoding="utf-8"))
        values = values.get("Parameters", values)
        if values.get("VpcId"):
            _make(str(values["VpcId"]), _listed(values.get("SubnetIds")))


def _listed(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else list(value or [])


def _make(vpc_id: str, subnet_ids: list[str]) -> None:
    ec2 = backend("ec2")
    if vpc_id in ec2.vpcs:
        return
    block = 100 + len(ec2.vpcs)
    try:
        _VPC_ID.replace(lambda: vpc_id)
        ec2.create_vpc(f"10.{block}.0.0/16")
        for number, subnet_id in enumerate(subnet_ids):
            _SUBNET_ID.replace(lambda identifier=subnet_id: identifier)
            zone = f"{REGION}{'abc'[number % 3]}"
            ec2.create_subnet(vpc_id, f"10.{block}.{number}.0/24", availability_zone=zone)
    finally:
        _VPC_ID.restore()
        _SUBNET_ID.restore()


def make_certificate(domain: str) -> str:
    """The ARN of an ACM certificate for everything below ``domain``; the same one when asked again."""
    acm, name = backend("acm"), f"*.{domain}"
    for bundle in acm.list_certificates([], {}):
        if bundle.common_name == name:
            return str(bundle.arn)
    return str(acm.request_certificate(name, idempotency_token=None, subject_alt_names=[], tags=[]))
