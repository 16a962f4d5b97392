"""The REST API, signed with the caller's own AWS credentials (the API's authorizer is AWS_IAM)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from shoal_cli.connection import Connection
from shoal_cli.errors import ApiProblem, CliError, NoCloud

_TIMEOUT_SECONDS = 35


class Api:
    """One method for each thing a person does with the API."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = requests.Session()

    def deploy(self, specification: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", "/deploy", specification)

    def update(self, name: str, specification: dict[str, Any]) -> dict[str, Any]:
        return self._call("PUT", f"/deploy/{quote(name)}", specification)

    def change(self, name: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """``action``: rollback, stop or start."""
        return self._call("POST", f"/deploy/{quote(name)}/{action}", body)

    def revisions(self, name: str) -> list[dict[str, Any]]:
        return list(self._call("GET", f"/deploy/{quote(name)}/revisions")["revisions"])

    def deployment(self, name: str) -> dict[str, Any]:
        return self._call("GET", f"/deploy/{quote(name)}")

    def deployments(self) -> Iterator[dict[str, Any]]:
        return self._pages("/deploy", "deployments")

    def events(self, name: str, after: str = "") -> Iterator[dict[str, Any]]:
        """A deployment's events after an id or a time, oldest first, to the last one there is."""
        more = True
        while more:
            query = f"?{urlencode({'after': after})}" if after else ""
            page = self._call("GET", f"/deploy/{quote(name)}/events{query}")
            yield from page["events"]
            after, more = page["after"], page["more"]

    def delete(self, name: str) -> dict[str, Any]:
        return self._call("DELETE", f"/deploy/{quote(name)}")

    def doctor(self, now: bool = False) -> dict[str, Any]:
        """The last report on orphans and drift, or a new one."""
        return self._call("POST" if now else "GET", "/doctor")

    def submit(self, name: str, jobs: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", f"/deploy/{quote(name)}/jobs", jobs)

    def jobs(self, name: str) -> Iterator[dict[str, Any]]:
        return self._pages(f"/deploy/{quote(name)}/jobs", "jobs")

    def job(self, name: str, job_id: str) -> dict[str, Any]:
        return self._call("GET", f"/deploy/{quote(name)}/jobs/{quote(job_id)}")

    def dives(self, name: str) -> Iterator[dict[str, Any]]:
        return self._pages(f"/deploy/{quote(name)}/dives", "dives")

    def cancel(self, name: str, selection: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", f"/deploy/{quote(name)}/cancel", selection)

    def redrive(self, name: str, selection: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", f"/deploy/{quote(name)}/redrive", selection)

    def register(self, registration: dict[str, Any]) -> dict[str, Any]:
        return self._call("POST", "/registry", registration)

    def models(self) -> Iterator[dict[str, Any]]:
        return self._pages("/registry", "models")

    def model(self, name: str) -> dict[str, Any]:
        return self._call("GET", f"/registry/{quote(name)}")

    def model_version(self, name: str, version: int) -> dict[str, Any]:
        return self._call("GET", f"/registry/{quote(name)}/versions/{version}")

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = self._call("GET", path + (f"?{urlencode({'next_token': token})}" if token else ""))
            yield from page[key]
            token = page.get("next_token")
            if not token:
                return

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self._send(method, path, json.dumps(body).encode() if body is not None else None)
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise CliError(
                f"the API answered {response.status_code} without JSON: {response.text[:200]}"
            ) from error
        if response.ok and isinstance(answer, dict):
            return answer
        raise ApiProblem(
            response.status_code,
            answer.get("title", answer.get("message", "refused")),
            answer.get("detail", ""),
            answer.get("errors", []),
        )

    def _send(self, method: str, path: str, data: bytes | None) -> requests.Response:
        url = self._connection.api_url.rstrip("/") + path
        headers = {"Content-Type": "application/json"} if data is not None else {}
        request = AWSRequest(method=method, url=url, data=data, headers=headers)
        credentials = self._connection.session.get_credentials()
        if credentials is None:
            raise NoCloud("no AWS credentials were found", "run `aws configure` or set AWS_PROFILE")
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self._connection.region).add_auth(
            request
        )
        try:
            return self._http.request(
                method, url, data=data, headers=dict(request.headers), timeout=_TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise NoCloud(
                f"the API at {url} did not answer: {error}", "is `shoal local up` still running?"
            ) from error
