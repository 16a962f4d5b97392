"""What GET and POST /doctor do."""

from __future__ import annotations

from http import HTTPStatus

from shoal.api.gate import Answer
from shoal.deployments import doctor


def last_report() -> Answer:
    """GET /doctor: what the last check found.

    Raises:
        NotFound: none has run yet.
    """
    return Answer(HTTPStatus.OK, doctor.last_report())


def check() -> Answer:
    """POST /doctor: look now; nothing is removed."""
    return Answer(HTTPStatus.OK, doctor.check())
