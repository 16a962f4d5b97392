"""From a queue message to a job, and every way it can be wrong."""

from __future__ import annotations

import json

import pytest
from shoal_worker.service.errors import BadMessage
from shoal_worker.service.messages import is_test_event, read_job
from shoal_worker.service.video_queue import Delivery


def delivered(body: object) -> Delivery:
    text = body if isinstance(body, str) else json.dumps(body)
    return Delivery(text, "receipt", "11111111-2222", 1)


@pytest.mark.parametrize(
    ("body", "job_id", "clean"),
    [
        ({"video": "videos/reef/a.mp4", "job_id": "j1", "deployment": "reef"}, "j1", False),
        (
            {"video": "a.mp4", "clean": "True", "job_name": "dive", "user_name": "ann"},
            "message-11111111-2222",
            True,
        ),
        ({"video": "a.mp4", "clean": "False", "metadata_b64": "e30="}, "message-11111111-2222", False),
        ({"video": "a.mp4", "surprise": 1}, "message-11111111-2222", False),
    ],
)
def test_a_video_message_becomes_a_job(body: dict[str, object], job_id: str, clean: bool) -> None:
    job = read_job(delivered(body), "reef")
    assert (job.job_id, job.message.clean, job.file_name) == (job_id, clean, "a.mp4")


@pytest.mark.parametrize(
    ("body", "word", "job_id"),
    [
        ("not json", "no JSON object", None),
        ("[" * 100_000, "no JSON object", None),
        ([1], "no JSON object", None),
        ({}, "video: Field required", None),
        ({"job_id": "j1"}, "video: Field required", "j1"),
        ({"video": "a.mp4", "clean": "perhaps", "job_id": "j1"}, "clean", "j1"),
        ({"video": "a.mp4", "metadata_b64": "%%%"}, "metadata_b64", None),
        ({"video": "a.mp4", "metadata_b64": "YQ=="}, "metadata_b64", None),
        ({"video": "a.mp4", "deployment": "other", "job_id": "j1"}, "for other", "j1"),
        ({"video": "videos/reef/"}, "names no file", None),
        ({"video": ".."}, "names no file", None),
        ({"video": "a/b\\c.mp4"}, "names no file", None),
        ({"video": "a\u0000.mp4"}, "names no file", None),
        ('{"video": "\\ud800.mp4"}', "", None),
        ('{"video": "\\ud800/a.mp4"}', "", None),
        ({"video": "x" * 201}, "names no file", None),
        ({"video": "a.mp4", "job_id": "x" * 65}, "job_id", None),
    ],
)
def test_a_bad_message_is_refused_with_its_reason(body: object, word: str, job_id: str | None) -> None:
    with pytest.raises(BadMessage) as raised:
        read_job(delivered(body), "reef")
    assert word in raised.value.reason
    assert raised.value.job_id == job_id


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}', True),
        ('{"video":"a.mp4"}', False),
        ("null", False),
        ("{", False),
    ],
)
def test_the_test_event_of_s3_is_known(body: str, expected: bool) -> None:
    assert is_test_event(body) is expected
