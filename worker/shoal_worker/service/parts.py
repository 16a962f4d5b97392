"""A large object in parts, written under a condition; boto3's own transfer knows no condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PART_BYTES = 64 * 1024 * 1024
"""Up to 10,000 parts: 625 GiB, more than any archive."""
ARCHIVE_TYPE = "application/gzip"


def put_in_parts(s3: Any, source: Path, bucket: str, key: str, match: dict[str, str]) -> None:
    """One part after another; the condition is S3's at the end. What breaks off leaves no part behind.

    Raises:
        ClientError, BotoCoreError, OSError: as they come.
    """
    made = s3.create_multipart_upload(Bucket=bucket, Key=key, ContentType=ARCHIVE_TYPE)
    where = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
    try:
        parts = _send(s3, source, where)
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts}, **match)
    except BaseException:
        s3.abort_multipart_upload(**where)
        raise


def _send(s3: Any, source: Path, where: dict[str, str]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    with source.open("rb") as file:
        while body := file.read(PART_BYTES):
            number = len(parts) + 1
            answer = s3.upload_part(**where, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    return parts
