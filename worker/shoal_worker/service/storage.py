"""S3 as the worker uses it: whole objects in, whole objects out, sizes checked."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shoal_worker.service.errors import Denied, JobRejected, Overtaken, Transient, VideoMissing
from shoal_worker.service.parts import ARCHIVE_TYPE, PART_BYTES, put_in_parts

Observe = Callable[[int, int], None]
"""Called with bytes done and bytes in all; it may raise to end the transfer."""

CHUNK_BYTES = 4 * 1024 * 1024
SPARE_BYTES = 256 * 1024 * 1024
"""Kept free on the disk for the archive and the logs."""

_OVERTAKEN = frozenset({"PreconditionFailed", "412", "NoSuchKey", "ConditionalRequestConflict"})
_DENIED = frozenset({"403", "AccessDenied", "Forbidden"})
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})


def aws_code(error: ClientError) -> str:
    """The AWS error code of a botocore ``ClientError``."""
    return str(error.response.get("Error", {}).get("Code", ""))


class Storage:
    """The two buckets, through one S3 client."""

    def __init__(self, client: Any) -> None:
        self._s3 = client

    def etag(self, bucket: str, key: str) -> str | None:
        """The object's ETag without quotes; None where there is no such object (HeadObject)."""
        try:
            head = self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if aws_code(error) in _ABSENT:
                return None
            if aws_code(error) in _DENIED:
                raise Denied(f"s3://{bucket}/{key}: the task role needs s3:GetObject on it") from error
            raise Transient(f"s3://{bucket}/{key}: {aws_code(error)}") from error
        except BotoCoreError as error:
            raise Transient(f"s3://{bucket}/{key}: {error}") from error
        return str(head["ETag"]).strip('"')

    def download(self, bucket: str, key: str, target: Path, observe: Observe, etag: str = "") -> int:
        """Write one object to ``target`` (whole or not at all); its size in bytes.

        With ``etag``, the object must still be that one (``If-Match``).

        Raises:
            VideoMissing: no such object.
            JobRejected: it does not fit on the disk.
            Transient: anything else; another attempt may succeed.
        """
        match = {"IfMatch": etag} if etag else {}
        try:
            answer = self._s3.get_object(Bucket=bucket, Key=key, **match)
            _need_room(target.parent, int(answer["ContentLength"]), key)
            _copy(answer["Body"], target, int(answer["ContentLength"]), observe)
        except ClientError as error:
            if aws_code(error) in _ABSENT:
                raise VideoMissing(
                    f"s3://{bucket}/{key} does not exist: upload it, then submit it"
                ) from error
            raise Transient(f"reading s3://{bucket}/{key}: {aws_code(error)}") from error
        except (BotoCoreError, OSError) as error:
            raise Transient(f"reading s3://{bucket}/{key}: {error}") from error
        return target.stat().st_size

    def replace(self, source: Path, bucket: str, key: str, before: str | None) -> None:
        """Write a file in the place of the object with the ETag ``before`` (None: where none is).

        Source: S3 User Guide, "How to prevent object overwrites with conditional writes".

        Raises:
            Overtaken: another object is there; nothing was written.
            Transient: S3 did not take it.
        """
        match = {"IfNoneMatch": "*"} if before is None else {"IfMatch": before}
        try:
            if source.stat().st_size > PART_BYTES:
                put_in_parts(self._s3, source, bucket, key, match)
            else:
                with source.open("rb") as file:
                    self._s3.put_object(Bucket=bucket, Key=key, Body=file, ContentType=ARCHIVE_TYPE, **match)
        except ClientError as error:
            if aws_code(error) in _OVERTAKEN:
                raise Overtaken(f"s3://{bucket}/{key} changed meanwhile") from error
            raise Transient(f"writing s3://{bucket}/{key}: {aws_code(error)}") from error
        except (BotoCoreError, OSError) as error:
            raise Transient(f"writing s3://{bucket}/{key}: {error}") from error

    def remove(self, bucket: str, key: str) -> None:
        """Delete one object; one that is gone already is no error.

        Raises:
            Transient: S3 did not do it.
        """
        try:
            self._s3.delete_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise Transient(f"deleting s3://{bucket}/{key}: {error}") from error


def _need_room(folder: Path, size: int, key: str) -> None:
    free = shutil.disk_usage(folder).free
    if size + SPARE_BYTES > free:
        raise JobRejected(
            f"{key} has {size} bytes and the disk has {free} free: raise root_volume_gib "
            "(BlockDeviceVolumeGBRoot) or cut the video"
        )


def _copy(body: Any, target: Path, size: int, observe: Observe) -> None:
    part = target.with_name(f"{uuid.uuid4().hex}.part")  # two workers of one machine may fetch the same model
    done = 0
    with part.open("wb") as file:
        observe(0, size)
        for chunk in body.iter_chunks(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            observe(done, size)
    if done != size:
        raise Transient(f"{target.name} came with {done} of {size} bytes")
    part.replace(target)
