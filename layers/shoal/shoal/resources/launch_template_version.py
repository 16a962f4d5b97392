"""The version of the launch template that a revision starts instances with (EC2).

Its description names the revision, so that a version whose answer was lost is found again.
"""

from __future__ import annotations

from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import AwsError
from shoal.resources.instance_mix import SUBNETS, subnets_for
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope
from shoal.resources.launch_template import (
    ABSENT,
    FIRST_VERSION,
    NAME_LIMIT,
    LaunchTemplate,
    described_as,
    gpu_image,
    launch_data,
)

_GONE_CODES = frozenset({"launchTemplateVersionDoesNotExist", "launchTemplateNameDoesNotExist"})


class LaunchTemplateVersion:
    """The first one comes with its template; the others stay until the deployment goes, for a rollback."""

    kind = "launch_template_version"
    order = 85
    blocked_by = ("auto_scaling_group",)

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.compute == "ec2-gpu"

    def name(self, scope: Scope) -> str:
        return scope.name(limit=NAME_LIMIT)

    def basis(self, spec: DeploymentSpec) -> object:
        return spec.every_instance_type, spec.root_volume_gib, spec.is_mixed

    def make(self, context: Context) -> Made:
        """With the subnets of its revision, where the types decide them: a rollback uses the same."""
        made = self._made(context)
        if not context.spec.is_mixed:
            return made
        return Made(made.arn, made.extra | {SUBNETS: ",".join(subnets_for(context.spec))})

    def _made(self, context: Context) -> Made:
        template = context.made["launch_template"]
        if template.revision == context.revision:
            return Made(template.arn, {"version": FIRST_VERSION, **template.extra})
        known = _versions(self.name(context), context.revision)
        return _made(known[-1]) if known else self._create(context)

    def observe(self, scope: Scope) -> Found | None:
        """Its template: a version is no resource of its own, and has no tags."""
        return LaunchTemplate().observe(scope)

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        """DeleteLaunchTemplate, which comes next, deletes every version."""
        return GONE

    def retire(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        numbers = {str(one["VersionNumber"]) for one in _versions(entry.name, entry.revision)}
        numbers |= {entry.extra["version"]} if "version" in entry.extra else set()
        if numbers:
            _delete(entry.name, sorted(numbers))
        return GONE

    def _create(self, context: Context) -> Made:
        image_id = gpu_image()
        with domain_errors(f"make a version of launch template {self.name(context)}"):
            answer = client("ec2").create_launch_template_version(
                LaunchTemplateId=context.arn("launch_template"),
                VersionDescription=described_as(context.revision),
                LaunchTemplateData=launch_data(context, image_id),
            )
        return _made(answer["LaunchTemplateVersion"])


def _made(version: dict[str, Any]) -> Made:
    extra = {"version": str(version["VersionNumber"]), "image_id": version["LaunchTemplateData"]["ImageId"]}
    return Made(version["LaunchTemplateId"], extra)


def _versions(template: str, revision: int) -> list[dict[str, Any]]:
    """The versions that were made for a revision, oldest first; more than one only after a lost answer."""
    found: list[dict[str, Any]] = []
    with domain_errors(f"list the versions of {template}", absent=ABSENT):
        pages = client("ec2").get_paginator("describe_launch_template_versions")
        for page in pages.paginate(LaunchTemplateName=template):
            found += page["LaunchTemplateVersions"]
    mine = [one for one in found if one.get("VersionDescription") == described_as(revision)]
    return sorted(mine, key=lambda one: int(one["VersionNumber"]))


def _delete(template: str, numbers: list[str]) -> None:
    with domain_errors(f"delete versions {', '.join(numbers)} of {template}", absent=ABSENT):
        answer = client("ec2").delete_launch_template_versions(LaunchTemplateName=template, Versions=numbers)
        for refused in answer.get("UnsuccessfullyDeletedLaunchTemplateVersions", []):
            error = refused["ResponseError"]
            if error["Code"] not in _GONE_CODES:
                raise AwsError(
                    f"delete version {refused['VersionNumber']} of {template}: "
                    f"{error['Code']}: {error.get('Message', '')}"
                )
