"""The door in front of moto: knows the caller, asks IAM, injects faults, keeps the mail."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Response

from shoal_local.errors import UnknownAction
from shoal_local.faults import Faults
from shoal_local.iam import Iam, Principal
from shoal_local.iam_needs import needs_of
from shoal_local.mailbox import Mailbox, sends_mail
from shoal_local.refusals import denied_code, refusal
from shoal_local.wire import Call, Environ, boto_service, caller_of, read_call, session_token_of

Application = Callable[[Environ, Any], Iterable[bytes]]

_LOG = logging.getLogger("shoal_local.guard")
_UNKNOWN_KEY = {"s3": "InvalidAccessKeyId", "ec2": "AuthFailure", "sns": "InvalidClientTokenId"}


class Guard:
    """A WSGI application around moto's."""

    def __init__(self, moto: Application, iam: Iam, faults: Faults, mailbox: Mailbox) -> None:
        self._moto = moto
        self._iam = iam
        self._faults = faults
        self._mailbox = mailbox

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        caller = caller_of(environ)
        if caller is None:
            return self._anonymous(environ, start_response)
        service = boto_service(caller, environ)
        principal = self._iam.principal(caller.access_key, session_token_of(environ))
        if principal is None and self._iam.enforced:
            code = _UNKNOWN_KEY.get(service, "UnrecognizedClientException")
            return refusal(service, code, "the access key or session token is not known here", 403)(
                environ, start_response
            )
        if not self._must_read(service, principal):
            return self._served(service, environ, start_response)
        try:
            call = read_call(environ, caller)
            refused = self._fault(call) or self._refused(call, principal)
        except UnknownAction as error:
            refused = refusal(service, "ShoalUnknownAction", str(error), 400)
        if refused is not None:
            return refused(environ, start_response)
        return self._pass_on(call, principal, environ, start_response)

    def _served(self, service: str, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """moto's answer; what breaks inside moto becomes AWS's InternalFailure with the reason."""
        try:
            return self._moto(environ, start_response)
        except Exception as error:  # noqa: BLE001 - supervises a foreign server: logged with its trace, told to the caller
            _LOG.exception("moto failed on %s %s", service, environ.get("PATH_INFO"))
            message = f"{type(error).__name__}: {error}"
            return refusal(service, "InternalFailure", message, 500)(environ, start_response)

    def _must_read(self, service: str, principal: Principal | None) -> bool:
        checked = principal is not None and not principal.administrator and self._iam.enforced
        return checked or self._faults.active() or service in {"ses", "sesv2"}

    def _anonymous(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not self._iam.enforced or environ.get("PATH_INFO", "").startswith("/moto-api"):
            return self._moto(environ, start_response)
        return refusal("s3", "AccessDenied", "anonymous requests are refused: sign the request")(
            environ, start_response
        )

    def _fault(self, call: Call) -> Response | None:
        fault = self._faults.take(call.service, call.operation)
        return refusal(call.service, fault.code, fault.message, fault.status) if fault else None

    def _refused(self, call: Call, principal: Principal | None) -> Response | None:
        if principal is None or principal.administrator or not self._iam.enforced:
            return None
        for need in needs_of(call):
            decision = self._iam.authorize(
                principal, need.action, need.resources, need.context, need.optional
            )
            if decision.allowed or need.optional:
                continue
            text = (
                f"User: {principal.arn} is not authorized to perform: {need.action} "
                f"on resource: {need.resources[0]} because {decision.why}"
            )
            return refusal(call.service, denied_code(call.service), text)
        return None

    def _pass_on(
        self, call: Call, principal: Principal | None, environ: Environ, start_response: Any
    ) -> Iterable[bytes]:
        if not sends_mail(call) and not hides_absence(call):
            return self._served(call.service, environ, start_response)
        response = Response.from_app(functools.partial(self._served, call.service), environ)
        if sends_mail(call) and response.status_code < 300:
            self._mailbox.take(call, response.get_data())
        if response.status_code == 404 and principal is not None and not self._may_list(call, principal):
            response = refusal("s3", "AccessDenied", "Access Denied")
        return response(environ, start_response)

    def _may_list(self, call: Call, principal: Principal) -> bool:
        bucket = f"arn:aws:s3:::{call.parameters['Bucket']}"
        return self._iam.authorize(principal, "s3:ListBucket", [bucket], {}, optional=True).allowed


def hides_absence(call: Call) -> bool:
    """Without s3:ListBucket S3 answers 403, not 404, for a missing object (API reference, GetObject)."""
    return call.service == "s3" and call.operation in {"GetObject", "HeadObject"}
