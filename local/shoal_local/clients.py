"""boto3 clients bound to the embedded cloud, whatever the environment of this process says."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from shoal_local.names import REGION


class Clients:
    """One session, one client per service. Thread safe."""

    def __init__(self, endpoint_url: str, credentials: Mapping[str, str]) -> None:
        from boto3.session import Session

        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._session = Session(
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
            region_name=REGION,
        )

    def client(self, service: str) -> Any:
        from botocore.config import Config

        with self._lock:
            if service not in self._clients:
                # no retries: an answer of the embedded cloud is final; a Lambda may take its full 15 minutes
                config = Config(retries={"total_max_attempts": 1}, read_timeout=900, max_pool_connections=50)
                self._clients[service] = self._session.client(
                    service, endpoint_url=self._endpoint_url, config=config
                )
            return self._clients[service]
