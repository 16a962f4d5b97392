"""Checkpoints in S3, so that another worker goes on where this one was stopped or died."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from shoal.contracts.job import result_key

from shoal_worker.checkpoint import Checkpoint
from shoal_worker.service.errors import Transient
from shoal_worker.service.logs import logger
from shoal_worker.service.storage import aws_code

PREFIX = "checkpoints/"
"""A prefix of its own: the worker may remove what lies here, never a result."""

_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})


def checkpoint_prefix(video: str) -> str:
    """``videos/reef/dive.mp4`` -> ``checkpoints/reef/dive.tracks.tar.gz/``."""
    return f"{PREFIX}{result_key(video).removeprefix('tracks/')}/"


@dataclass(frozen=True)
class BucketStore:
    """A ``CheckpointStore`` below ``prefix`` of a bucket; raises Transient when S3 does not do it."""

    client: Any
    bucket: str
    prefix: str

    def read(self, name: str) -> bytes | None:
        """See CheckpointStore."""
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
            return bytes(body.read())
        except ClientError as error:
            if aws_code(error) in _ABSENT:
                return None
            raise self._failed("reading", name, aws_code(error)) from error
        except BotoCoreError as error:
            raise self._failed("reading", name, error) from error

    def write(self, name: str, content: bytes) -> None:
        """See CheckpointStore."""
        try:
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content)
        except ClientError as error:
            raise self._failed("writing", name, aws_code(error)) from error
        except BotoCoreError as error:
            raise self._failed("writing", name, error) from error

    def remove(self, name: str) -> None:
        """See CheckpointStore."""
        try:
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)
        except ClientError as error:
            raise self._failed("removing", name, aws_code(error)) from error
        except BotoCoreError as error:
            raise self._failed("removing", name, error) from error

    def _failed(self, what: str, name: str, why: object) -> Transient:
        return Transient(f"{what} s3://{self.bucket}/{self.prefix}{name}: {why}")


def tell(checkpoint: Checkpoint, job_id: str) -> None:
    """Log where a run went on, or why it did not."""
    if checkpoint.restored:
        logger().info("went on behind frame %d", checkpoint.restored, extra={"job": job_id})
    if checkpoint.afresh:
        logger().info("started afresh: %s", checkpoint.afresh, extra={"job": job_id})


def clear(checkpoint: Checkpoint, job_id: str) -> None:
    """Remove a checkpoint whose result is stored; one that stays is removed by the bucket's lifecycle."""
    try:
        checkpoint.clear()
    except Transient as error:
        logger().warning("the checkpoint stays: %s", error.reason, extra={"job": job_id})
