"""S3 as the worker uses it: whole objects in, whole objects out, sizes checked."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shoal_worker.service.errors import Denied, JobRejected, Transient, VideoMissing

Observe = Callable[[int, int], None]
"""Called with bytes done and bytes in all; it may raise to end the transfer."""

CHUNK_BYTES = 4 * 1024 * 1024
SPARE_BYTES = 256 * 1024 * 1024
"""Kept free on the disk for the archive and the logs."""

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

    def upload(self, source: Path, bucket: str, key: str) -> None:
        """Write a file to S3 (multipart where it is large, with S3's checksum).

        Raises:
            Transient: S3 did not take it.
        """
        from boto3.exceptions import S3UploadFailedError

        try:
            self._s3.upload_file(str(source), bucket, key, ExtraArgs={"ContentType": "application/gzip"})
        except (ClientError, BotoCoreError, S3UploadFailedError, OSError) as error:
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
