"""One line of a manifest: a video and what is to be done with it, or what is wrong with the line.

CSV has a first line of column names (``video`` is one), or lines of nothing but a video. In JSON lines each
is an object. The fields are deepsea-ai's, as in a message.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shoal.contracts.job import JobMessage
from shoal.errors import InvalidRequest
from shoal.jobs.submission import encoded

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
COLUMNS = frozenset({"video", "clean", "job_name", "user_name", "args", "metadata_b64"})
LONGEST = 128 * 1024
"""Characters of a line: a video's key and 64 KiB of metadata."""


class Wish(BaseModel):
    """What a line asks for; what it leaves out is as the submission says."""

    model_config = ConfigDict(extra="forbid")

    video: str = Field(min_length=1, max_length=1200)
    clean: bool | None = None
    job_name: str | None = Field(None, max_length=200)
    user_name: str | None = Field(None, max_length=200)
    args: str | None = Field(None, max_length=2000)
    metadata: dict[str, Any] | None = None
    metadata_b64: str | None = Field(None, max_length=100_000)

    @field_validator("clean", mode="before")
    @classmethod
    def _clean_word(cls, value: object) -> object:
        words = {"true": True, "false": False}
        return words.get(value.lower(), value) if isinstance(value, str) else value

    @field_validator("video", "job_name", "user_name", "args")
    @classmethod
    def _plain_text(cls, value: str | None) -> str | None:
        if value and _FORBIDDEN.search(value):
            raise ValueError("it holds a control character or half of one")
        return value

    @field_validator("metadata_b64")
    @classmethod
    def _is_metadata(cls, value: str | None) -> str | None:
        JobMessage(video="-", metadata_b64=value or "").metadata()
        return value

    @field_validator("metadata")
    @classmethod
    def _is_short(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            encoded(value or {})
        except InvalidRequest as error:
            raise ValueError(error.detail) from error
        return value


@dataclass(frozen=True)
class Line:
    """``fault`` says what is wrong with it; ``wish`` is None then, and for a line that asks for nothing."""

    number: int
    wish: Wish | None = None
    fault: str = ""


@dataclass(frozen=True)
class Form:
    """How the lines are written: ``columns`` of a CSV with a header, none for bare videos or JSON lines."""

    json_lines: bool = False
    columns: list[str] = field(default_factory=list)

    def read(self, number: int, text: str) -> Line:
        """Line ``number``, counted from 1; an empty one asks for nothing."""
        if not text.strip() or (number == 1 and self.columns):
            return Line(number)
        if len(text) > LONGEST:
            return Line(number, fault=f"it is longer than {LONGEST} characters")
        fields, fault = self._fields(text)
        if fault:
            return Line(number, fault=fault)
        try:
            return Line(number, Wish.model_validate(fields))
        except ValidationError as error:
            return Line(number, fault=_in_words(error))

    def _fields(self, text: str) -> tuple[dict[str, Any], str]:
        if self.json_lines:
            return _of_json(text)
        try:
            (cells,) = csv.reader([text], strict=True)
        except (csv.Error, ValueError):
            return {}, "its quotes do not close: one video a line, without line breaks inside"
        names = self.columns or ["video"]
        if len(cells) > len(names):
            return {}, f"it has {len(cells)} cells for {len(names)} columns: quote a cell with a comma"
        return {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}, ""


def form_of(first: str) -> Form:
    """The form of a manifest, by its first line.

    Raises:
        ValueError: its columns are not those that a video has; the text says which.
    """
    if first.lstrip().startswith("{"):
        return Form(json_lines=True)
    names = [cell.strip() for cell in next(csv.reader([first]), [])]
    if "video" not in names:
        return Form()
    wrong = sorted({name for name in names if name not in COLUMNS or names.count(name) > 1})
    if wrong:
        raise ValueError(f"its first line names {', '.join(wrong)}: columns are {', '.join(sorted(COLUMNS))}")
    return Form(columns=names)


def _of_json(text: str) -> tuple[dict[str, Any], str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}, "it is no JSON: one object a line"
    return (found, "") if isinstance(found, dict) else ({}, "it is no object: one object a line")


def _in_words(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told[:3])
