"""What the SDK works out for each call and nobody here reads: a signature, and a text that names the SDK."""

from __future__ import annotations

from typing import Any

import pytest


def lean(patched: pytest.MonkeyPatch) -> None:
    """Without them a call costs less; moto reads of a signature only its region and service."""
    from botocore.auth import SigV4Auth
    from botocore.useragent import UserAgentString

    patched.setattr(SigV4Auth, "add_auth", _name_only)
    patched.setattr(UserAgentString, "to_string", lambda _: "campaign")


def _name_only(auth: Any, request: Any) -> None:
    scope = f"{auth.credentials.access_key}/20261126/{auth._region_name}/{auth._service_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
