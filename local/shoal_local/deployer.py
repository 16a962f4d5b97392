"""Deploy a SAM template into the running cloud, as ``sam deploy`` would: package, upload, one stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shoal_local.errors import StackFailed
from shoal_local.names import REGION
from shoal_local.sam_package import package
from shoal_local.sam_transform import load_template

ARTIFACTS = "shoal-local-artifacts"
SENDER = "shoal@example.org"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
ClientOf = Callable[[str], Any]


class Deployer:
    """``client`` makes administrator's clients; ``local``: values of this machine, over the file's."""

    def __init__(self, client: ClientOf, stack_name: str, environment: str, local: dict[str, str]) -> None:
        self._client = client
        self._stack = stack_name
        self._environment = environment
        self._local = local

    def deploy(self, template_path: Path, parameters: dict[str, str] | None = None) -> dict[str, str]:
        """Make or update the stack; the outputs.

        Raises:
            StackFailed: with the reasons from the stack's events.
        """
        template = load_template(template_path)
        values = self.parameters_for(template, template_path.parent) | (parameters or {})
        self._verify_senders(values)
        packaged = package(template, template_path.parent, self._client("s3"), self._bucket())
        arguments = {
            "StackName": self._stack,
            "TemplateBody": json.dumps(packaged),
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in sorted(values.items())],
            "Capabilities": _CAPABILITIES,
        }
        cloudformation = self._client("cloudformation")
        if self._status() is None:
            cloudformation.create_stack(**arguments)
        else:
            cloudformation.update_stack(**arguments)
        return self._outputs()

    def _bucket(self) -> str:
        s3 = self._client("s3")
        if ARTIFACTS not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION})
        return ARTIFACTS

    def _status(self) -> str | None:
        stacks = self._client("cloudformation").describe_stacks()["Stacks"]
        return next((stack["StackStatus"] for stack in stacks if stack["StackName"] == self._stack), None)

    def _outputs(self) -> dict[str, str]:
        stack = self._client("cloudformation").describe_stacks(StackName=self._stack)["Stacks"][0]
        if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise StackFailed(f"the stack {self._stack} is {stack['StackStatus']}: {self._reasons()}")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _reasons(self) -> str:
        events = self._client("cloudformation").describe_stack_events(StackName=self._stack)["StackEvents"]
        failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("_FAILED")]
        return "; ".join(f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed)

    def parameters_for(self, template: dict[str, Any], root: Path) -> dict[str, str]:
        """The values of ``env/<environment>.json``, and the laptop's own where a person must give one."""
        declared = template.get("Parameters", {})
        file = root / "env" / f"{self._environment}.json"
        given = _flat(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}
        values = {name: value for name, value in (given | self._local).items() if name in declared}
        for name, parameter in declared.items():
            if not values.get(name) and not parameter.get("Default"):
                local = self._local_value(name, str(parameter.get("Type", "String")))
                if local is not None:
                    values[name] = local
        return values

    def _local_value(self, name: str, kind: str) -> str | None:
        ec2 = self._client("ec2")
        if "VPC::Id" in kind:
            return str(ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
        if "Subnet::Id" in kind:
            found = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
            return ",".join(found[:2]) if kind.startswith("List") else str(found[0])
        if any(word in name.lower() for word in ("sender", "email", "address")):
            return SENDER
        return None

    def _verify_senders(self, values: dict[str, str]) -> None:
        """SES refuses an address nobody has confirmed: every address among the parameters is."""
        for value in values.values():
            for address in [part.strip() for part in value.split(",") if "@" in part]:
                self._client("ses").verify_email_identity(EmailAddress=address)


def _flat(document: Any) -> dict[str, str]:
    """``{"Parameters": {...}}``, ``{...}`` or CloudFormation's list of keys and values."""
    if isinstance(document, list):
        return {item["ParameterKey"]: str(item["ParameterValue"]) for item in document}
    inner = document.get("Parameters", document)
    return {key: _text(value) for key, value in inner.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
