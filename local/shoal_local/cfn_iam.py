"""AWS::IAM::Role with attached policies: moto's own forgets them."""

from __future__ import annotations

import json
from typing import Any

from shoal_local.cfn_resource import Properties, Resource, client
from shoal_local.iam_policy import listed


def _text(document: Any) -> str:
    """A policy document as JSON: YAML reads an unquoted version as a date, and moto insists on one."""
    return (
        document
        if isinstance(document, str)
        else json.dumps({"Version": "2012-10-17", **document}, default=str)
    )


class Role(Resource):
    kind = "AWS::IAM::Role"
    name_property = "RoleName"

    def create(self, properties: Properties) -> None:
        made = client("iam").create_role(
            RoleName=self.physical_resource_id,
            AssumeRolePolicyDocument=_text(properties["AssumeRolePolicyDocument"]),
            Path=properties.get("Path", "/"),
            Description=properties.get("Description", ""),
            MaxSessionDuration=int(properties.get("MaxSessionDuration", 3600)),
            Tags=listed(properties.get("Tags")),
        )["Role"]
        self.attributes = {"Arn": made["Arn"], "RoleId": made["RoleId"]}
        self._path = properties.get("Path", "/")
        self._put_policies(properties)

    def _put_policies(self, properties: Properties) -> None:
        iam, name = client("iam"), self.physical_resource_id
        for policy in listed(properties.get("Policies")):
            document = _text(policy["PolicyDocument"])
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
        for arn in listed(properties.get("ManagedPolicyArns")):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)

    def _drop_policies(self) -> None:
        iam, name = client("iam"), self.physical_resource_id
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])

    def update(self, properties: Properties) -> bool:
        if properties.get("Path", "/") != self._path:
            return False
        self._drop_policies()
        self._put_policies(properties)
        client("iam").update_assume_role_policy(
            RoleName=self.physical_resource_id, PolicyDocument=_text(properties["AssumeRolePolicyDocument"])
        )
        return True

    def delete(self) -> None:
        self._drop_policies()
        client("iam").delete_role(RoleName=self.physical_resource_id)


class ManagedPolicy(Resource):
    """Its reference is its ARN."""

    kind = "AWS::IAM::ManagedPolicy"
    name_property = "ManagedPolicyName"

    def create(self, properties: Properties) -> None:
        made = client("iam").create_policy(
            PolicyName=self.physical_resource_id,
            Path=properties.get("Path", "/"),
            Description=properties.get("Description", ""),
            PolicyDocument=_text(properties["PolicyDocument"]),
        )["Policy"]
        self.physical_resource_id = made["Arn"]
        self.attributes = {"PolicyArn": made["Arn"], "PolicyId": made["PolicyId"]}
        for role in listed(properties.get("Roles")):
            client("iam").attach_role_policy(RoleName=role, PolicyArn=made["Arn"])

    def update(self, properties: Properties) -> bool:
        """A new default version; the old ones go, because an account keeps five."""
        iam, arn = client("iam"), self.physical_resource_id
        iam.create_policy_version(
            PolicyArn=arn, PolicyDocument=_text(properties["PolicyDocument"]), SetAsDefault=True
        )
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        return True

    def delete(self) -> None:
        iam, arn = client("iam"), self.physical_resource_id
        for role in iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")["PolicyRoles"]:
            iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
        iam.delete_policy(PolicyArn=arn)
