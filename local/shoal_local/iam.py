"""Who calls, what their policies say, and the record of every decision."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shoal_local.iam_policy import Decision, Grant, decide, listed, statements
from shoal_local.iam_report import Ledger
from shoal_local.iam_tags import mentions_resource_tags, tag_context
from shoal_local.names import REGION, backend, role_name

ADMIN = "shoal-local-admin"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_SESSION_SECONDS = 43_200
_SESSION_NAME_LENGTH = 64


@dataclass(frozen=True)
class Principal:
    """A known access key: of the administrator, of a user, or of an assumed role."""

    arn: str
    secret: str
    token: str = ""
    role: str = ""
    user: str = ""

    @property
    def administrator(self) -> bool:
        return self.user == ADMIN

    @property
    def name(self) -> str:
        return self.role or self.user


class Iam:
    """The identities of the account and the decisions made about them. Thread safe."""

    def __init__(self, enforced: bool = True) -> None:
        self.enforced = enforced
        self.ledger = Ledger()
        self._lock = threading.Lock()
        self._principals: dict[str, Principal] = {}
        self.admin_credentials = self._make_administrator()

    def _make_administrator(self) -> dict[str, str]:
        iam = backend("iam")
        iam.create_user(REGION, ADMIN)
        iam.put_user_policy(ADMIN, "everything", json.dumps(_EVERYTHING))
        key = iam.create_access_key(ADMIN)
        self._principals[key.access_key_id] = Principal(
            iam.get_user(ADMIN).arn, key.secret_access_key, user=ADMIN
        )
        return {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}

    def credentials_for_role(self, role_arn: str, session: str) -> dict[str, str]:
        """Twelve hours of a role, as the AWS_* variables of a child process.

        Raises:
            LookupError: the account has no such role.
        """
        name = role_name(role_arn)
        if name not in {role.name for role in backend("iam").get_roles()}:
            raise LookupError(f"there is no role {role_arn}: the template (or the caller) must make it first")
        assumed = backend("sts").assume_role(
            region_name=REGION, role_session_name=session[:_SESSION_NAME_LENGTH], role_arn=role_arn,
            policy=None, duration=_SESSION_SECONDS, external_id=None,
        )  # fmt: skip
        self._remember(assumed)
        return {
            "AWS_ACCESS_KEY_ID": assumed.access_key_id,
            "AWS_SECRET_ACCESS_KEY": assumed.secret_access_key,
            "AWS_SESSION_TOKEN": assumed.session_token,
        }

    def _remember(self, assumed: Any) -> Principal:
        principal = Principal(
            assumed.arn, assumed.secret_access_key, assumed.session_token, role=role_name(assumed.role_arn)
        )
        with self._lock:
            self._principals[assumed.access_key_id] = principal
        return principal

    def principal(self, access_key: str, token: str) -> Principal | None:
        """The owner of a key; None for an unknown key or a wrong session token."""
        found = self._principals.get(access_key) or self._look_up(access_key)
        return found if found and found.token == token else None

    def _look_up(self, access_key: str) -> Principal | None:
        """Keys made through the API itself: sts:AssumeRole, iam:CreateAccessKey."""
        for assumed in list(backend("sts").assumed_roles):
            if assumed.access_key_id == access_key:
                return self._remember(assumed)
        for user in list(backend("iam").users.values()):
            for key in user.access_keys:
                if key.access_key_id == access_key:
                    return Principal(user.arn, key.secret_access_key, user=user.name)
        return None

    def authorize(
        self,
        principal: Principal,
        action: str,
        resources: Iterable[str],
        context: Mapping[str, tuple[str, ...]],
        optional: bool = False,
    ) -> Decision:
        """One decision, recorded; but not the administrator's, and no denial of an ``optional`` one."""
        if principal.administrator or not self.enforced:
            return Decision(True, frozenset(), "administrator")
        targets = tuple(resources) or ("*",)
        decision = _decide(policy_of(principal), action, targets, context)
        if decision.allowed or not optional:
            self.ledger.add(principal.name, action, targets, decision, optional)
        return decision

    def authorize_role(
        self,
        role_arn: str,
        action: str,
        *resources: str,
        context: Mapping[str, tuple[str, ...]] | None = None,
    ) -> bool:
        """The same for a service that acts under a role: Lambda writing logs, ECS pulling an image."""
        name = role_name(role_arn)
        principal = Principal(f"arn:aws:sts:::assumed-role/{name}/service", "", role=name)
        return self.authorize(principal, action, resources, context or {}).allowed

    def report(self) -> dict[str, Any]:
        """Role by role: denied calls, unused grants, wildcards. See :mod:`shoal_local.iam_report`."""
        roles = {role.name: documents_of(role) for role in backend("iam").get_roles()}
        return self.ledger.report(roles)


def _decide(
    policy: list[dict[str, Any]],
    action: str,
    resources: tuple[str, ...],
    context: Mapping[str, tuple[str, ...]],
) -> Decision:
    """Resource by resource where the policy asks for the tags of each."""
    if not mentions_resource_tags(policy):
        return decide(policy, action, resources, context)
    grants, sole = frozenset[Grant](), frozenset[tuple[str, str]]()
    for resource in resources:
        decision = decide(policy, action, [resource], {**context, **tag_context(resource)})
        if not decision.allowed:
            return decision
        grants |= decision.grants
        sole |= decision.sole
    return Decision(True, grants, "allowed", sole)


def documents_of(entity: Any) -> list[dict[str, Any]]:
    """Inline and attached policies of moto's role, user or group."""
    inline = [_document(each) for each in entity.policies.values()]
    attached = [_document(_current(policy)) for policy in list(entity.managed_policies.values())]
    return inline + attached


def _current(policy: Any) -> Any:
    """The document of a managed policy's default version."""
    return next(version.document for version in policy.versions if version.is_default)


def _document(document: Any) -> dict[str, Any]:
    return dict(document) if isinstance(document, Mapping) else dict(json.loads(document))


def policy_of(principal: Principal) -> list[dict[str, Any]]:
    """The statements that hold for a principal; none for one that is gone."""
    iam = backend("iam")
    if principal.role:
        found = next((role for role in iam.get_roles() if role.name == principal.role), None)
        return statements(documents_of(found)) if found else []
    user = iam.users.get(principal.user)
    if user is None:
        return []
    groups = [documents_of(group) for group in iam.get_groups_for_user(user.name)]
    return statements(
        [document for documents in [documents_of(user), *groups] for document in listed(documents)]
    )
