"""The servers of the embedded cloud. Loopback only, each in a thread of its own."""

from __future__ import annotations

import functools
import logging
import os
import runpy
import threading
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from shoal_local.names import ACCOUNT, HOST

# moto reads these when its modules are imported or its backends are made.
_MOTO_ENVIRONMENT = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # else moto makes the IAM of every partition to look for a key, each with 1,500 managed policies
    "MOTO_ACCOUNT_ID": ACCOUNT,
    "VALIDATE_LAMBDA_S3": "1",
}

_MOTO_CONFIGURATION: dict[str, dict[str, Any]] = {
    "stepfunctions": {"execute_state_machine": True},
    "lambda": {"use_docker": True},
    "iam": {"load_aws_managed_policies": True},
}

# The interpreter logs every Fail state as an error; the translator warns about telemetry nobody collects.
_QUIET = {"werkzeug": logging.ERROR, "moto.stepfunctions": logging.CRITICAL, "samtranslator": logging.ERROR}


class Server:
    """One WSGI application on ``http://127.0.0.1:<port>``; ``port`` 0 takes a free one."""

    def __init__(
        self, application: Any, port: int = 0, handler: type[WSGIRequestHandler] = WSGIRequestHandler
    ) -> None:
        quiet = type("QuietHandler", (handler,), {"log_request": lambda *_, **__: None})
        self._server: BaseWSGIServer = make_server(
            HOST, port, application, threaded=True, request_handler=quiet
        )
        # a stop is noticed at the next poll
        serve = functools.partial(self._server.serve_forever, poll_interval=0.05)
        self._thread = threading.Thread(target=serve, name="shoal-server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give the port back."""
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()


def prepare_moto() -> None:
    """Set moto's switches; call it before anything of moto is imported."""
    os.environ.update(_MOTO_ENVIRONMENT)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    from moto.core.config import default_user_config

    default_user_config.update(_MOTO_CONFIGURATION)


def moto_application() -> Any:
    """moto's dispatcher: one WSGI application for every AWS service."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def moto_request_handler() -> type[WSGIRequestHandler]:
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    handler: type[WSGIRequestHandler] = MotoRequestHandler
    return handler


def reset_moto() -> None:
    """Forget everything in every account: the next backend starts empty."""
    from moto.core.base_backend import BackendDict
    from moto.iam.models import iam_backends

    # moto resets a backend by making it anew, which for IAM reads all managed policies
    iam_backends.clear()
    BackendDict.reset()


def forget_environment() -> None:
    """Take moto's switches back: an account that reads 1,500 policies takes a second to make."""
    from moto.core import config

    shipped = runpy.run_path(config.__file__)["default_user_config"]
    config.default_user_config.update({service: shipped[service] for service in _MOTO_CONFIGURATION})
    for name in (*_MOTO_ENVIRONMENT, "MOTO_PORT"):
        os.environ.pop(name, None)
