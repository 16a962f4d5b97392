"""What the command line says when something is wrong: a sentence, what to do, and an exit code."""

from __future__ import annotations


class CliError(Exception):
    """Printed without a traceback."""

    exit_code = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class NoCloud(CliError):
    """Neither a running embedded cloud nor a deployed stack was found."""

    exit_code = 3


class ApiProblem(CliError):
    """The API answered with problem+json."""

    exit_code = 4

    def __init__(self, status: int, title: str, detail: str, errors: list[dict[str, str]]) -> None:
        lines = [f"  {error.get('field', '')}: {error.get('detail', error)}" for error in errors]
        super().__init__(f"{status} {title}: {detail}", "\n".join(lines))
        self.status = status
