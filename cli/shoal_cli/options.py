"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Stack = Annotated[
    str | None, typer.Option("--stack", envvar="SHOAL_STACK", help="CloudFormation stack in your account")
]
TimeoutMinutes = Annotated[float, typer.Option("--timeout", help="minutes this command waits")]
DeploymentOption = Annotated[
    str, typer.Option("--deployment", "--cluster", help="the deployment that tracks them")
]
