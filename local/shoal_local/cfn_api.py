"""AWS::ApiGateway::*: the API keeps the OpenAPI body that the gateway reads its routes from."""

from __future__ import annotations

from typing import Any

from shoal_local.cfn_resource import Properties, Resource, check_role, tags_of
from shoal_local.names import backend

_LOGGING = tuple(
    f"logs:{action}"
    for action in (
        "CreateLogGroup", "CreateLogStream", "DescribeLogGroups", "DescribeLogStreams", "PutLogEvents",
        "GetLogEvents", "FilterLogEvents",
    )
)  # fmt: skip


def body_of(api: Any) -> dict[str, Any]:
    """The OpenAPI body an API was deployed with; empty for one made by hand."""
    return getattr(api, "shoal_body", {})


class RestApi(Resource):
    kind = "AWS::ApiGateway::RestApi"

    def create(self, properties: Properties) -> None:
        body = properties.get("Body") or {}
        name = properties.get("Name") or body.get("info", {}).get("title") or self.physical_resource_id
        api = backend("apigateway").create_rest_api(
            name=name,
            description=properties.get("Description", ""),
            endpoint_configuration=None,
            tags=tags_of(properties),
            policy=properties.get("Policy"),
        )
        self.physical_resource_id = api.id
        self.attributes = {"RootResourceId": api.root_resource_id, "RestApiId": api.id}
        self._configure(properties)

    def _configure(self, properties: Properties) -> None:
        api = backend("apigateway").get_rest_api(self.physical_resource_id)
        api.shoal_body = properties.get("Body") or {}
        api.binaryMediaTypes = properties.get("BinaryMediaTypes") or []

    def update(self, properties: Properties) -> bool:
        self._configure(properties)
        return True

    def delete(self) -> None:
        backend("apigateway").delete_rest_api(self.physical_resource_id)


class Deployment(Resource):
    kind = "AWS::ApiGateway::Deployment"

    def create(self, properties: Properties) -> None:
        self._api = properties["RestApiId"]
        api = backend("apigateway").get_rest_api(self._api)
        made = api.create_deployment(properties.get("StageName") or "", properties.get("Description", ""))
        self.physical_resource_id = made.id
        self.attributes = {"DeploymentId": made.id}

    def delete(self) -> None:
        backend("apigateway").get_rest_api(self._api).deployments.pop(self.physical_resource_id, None)


class Stage(Resource):
    kind = "AWS::ApiGateway::Stage"
    name_property = "StageName"

    def create(self, properties: Properties) -> None:
        self._api = properties["RestApiId"]
        backend("apigateway").create_stage(
            self._api,
            self.physical_resource_id,
            properties["DeploymentId"],
            variables=properties.get("Variables"),
            description=properties.get("Description", ""),
            tags=tags_of(properties),
            tracing_enabled=bool(properties.get("TracingEnabled")),
        )

    def update(self, properties: Properties) -> bool:
        stage = backend("apigateway").get_rest_api(self._api).stages[self.physical_resource_id]
        stage.deployment_id = properties["DeploymentId"]
        stage.variables = properties.get("Variables") or {}
        return True

    def delete(self) -> None:
        backend("apigateway").delete_stage(self._api, self.physical_resource_id)


class Account(Resource):
    """The role API Gateway logs with; one per account and region."""

    kind = "AWS::ApiGateway::Account"

    def create(self, properties: Properties) -> None:
        role = properties.get("CloudWatchRoleArn", "")
        if role:
            check_role(role, _LOGGING, "The role ARN does not have required permissions configured")
        self.attributes = {"CloudWatchRoleArn": role}

    def update(self, properties: Properties) -> bool:
        self.create(properties)
        return True

    def delete(self) -> None:
        """AWS leaves the account's setting as it is."""
