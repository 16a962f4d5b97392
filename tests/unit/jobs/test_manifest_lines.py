"""One line of a manifest: what it asks for, or what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shoal.jobs.manifest_lines import LONGEST, Form, form_of

BARE, JSON = Form(), Form(json_lines=True)
TABLE = Form(columns=["video", "clean", "args", "metadata_b64"])


@pytest.mark.parametrize(
    ("first", "form"),
    [
        ("videos/reef/a.mp4", BARE),
        ("", BARE),
        ("s3://data/videos/reef/a.mp4", BARE),
        ("video", Form(columns=["video"])),
        (" video , clean ", Form(columns=["video", "clean"])),
        ("job_name,video", Form(columns=["job_name", "video"])),
        ('{"video": "videos/reef/a.mp4"}', JSON),
        ("  {}", JSON),
    ],
)
def test_the_first_line_says_how_they_are_written(first: str, form: Form) -> None:
    assert form_of(first) == form


@pytest.mark.parametrize(
    ("first", "named"),
    [
        ("video,colour", "colour"),
        ("video,video", "video"),
        ("video,metadata", "metadata"),
        ("video,", "names :"),
    ],
)
def test_a_header_that_no_video_has_is_refused(first: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        form_of(first)


@pytest.mark.parametrize(
    ("form", "text", "wish"),
    [
        (BARE, "videos/reef/a.mp4", {"video": "videos/reef/a.mp4"}),
        (BARE, '"videos/reef/a,b.mp4"', {"video": "videos/reef/a,b.mp4"}),
        (TABLE, "videos/reef/a.mp4", {"video": "videos/reef/a.mp4"}),
        (TABLE, "videos/reef/a.mp4,,", {"video": "videos/reef/a.mp4"}),
        (TABLE, "a.mp4,True,--iou=0.5", {"video": "a.mp4", "clean": True, "args": "--iou=0.5"}),
        (TABLE, "a.mp4,false,,e30=", {"video": "a.mp4", "clean": False, "metadata_b64": "e30="}),
        (JSON, '{"video": "a.mp4", "clean": "True"}', {"video": "a.mp4", "clean": True}),
        (JSON, '{"video": "a.mp4", "metadata": {"rov": 1}}', {"video": "a.mp4", "metadata": {"rov": 1}}),
        (JSON, '{"video": "a.mp4", "job_name": "D"}', {"video": "a.mp4", "job_name": "D"}),
    ],
)
def test_a_line_asks_for_a_video(form: Form, text: str, wish: dict[str, Any]) -> None:
    line = form.read(2, text)
    assert line.fault == ""
    assert line.wish is not None
    assert line.wish.model_dump(exclude_none=True) == wish


@pytest.mark.parametrize(
    ("form", "number", "text"), [(BARE, 3, ""), (JSON, 1, "  "), (TABLE, 1, "video,clean")]
)
def test_an_empty_line_and_a_header_ask_for_nothing(form: Form, number: int, text: str) -> None:
    line = form.read(number, text)
    assert (line.wish, line.fault) == (None, "")


@pytest.mark.parametrize(
    ("form", "text", "fault"),
    [
        (BARE, "a.mp4,b.mp4", "2 cells for 1 columns"),
        (BARE, '"a.mp4', "quotes do not close"),
        (BARE, "a" * 1300, "video: String should have at most 1200"),
        (BARE, "a\x1b.mp4", "video: Value error, it holds a control character"),
        (BARE, "a" * (LONGEST + 1), "longer than"),
        (TABLE, ",True", "video: Field required"),
        (TABLE, "a.mp4,maybe", "clean: "),
        (TABLE, "a.mp4,,,no base64", "metadata_b64: "),
        (JSON, "{", "no JSON"),
        (JSON, "[" * 100_000, "no JSON"),
        (JSON, '"a.mp4"', "no object"),
        (JSON, "{}", "video: Field required"),
        (JSON, '{"video": "a.mp4", "colour": 1}', "colour: Extra inputs"),
        (JSON, '{"video": "\\ud800"}', "video: "),
        (JSON, json.dumps({"video": "a", "metadata": {"k": "x" * 70_000}}), "metadata: "),
    ],
)
def test_what_is_wrong_with_a_line_is_said(form: Form, text: str, fault: str) -> None:
    line = form.read(2, text)
    assert line.wish is None
    assert fault in line.fault


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([BARE, TABLE, JSON]), st.text())
def test_no_line_breaks_the_reader(form: Form, text: str) -> None:
    line = form.read(2, text)
    assert line.number == 2
    assert line.wish is None or not line.fault
