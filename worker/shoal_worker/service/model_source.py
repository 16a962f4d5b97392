"""Where the model and the tracker's configuration come from: a path, or S3 through a cache by ETag."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from shoal.contracts.names import split_s3_uri

from shoal_worker.service.errors import Denied, JobRejected, ModelUnavailable
from shoal_worker.service.logs import logger
from shoal_worker.service.storage import Storage

EXPORT_COMMANDS = (
    "shoal model convert {name}; or where it was trained, "
    "yolov5: python export.py --weights {name} --include onnx; "
    "ultralytics: yolo export model={name} format=onnx"
)

_DIRECT = (".onnx", ".tar.gz", ".tgz", ".tar")


def fetch(location: str, cache: Path, storage: Storage) -> Path:
    """A local path of ``location`` (an S3 URI or a path), downloaded once per ETag.

    Raises:
        ModelUnavailable: it is not there, or S3 gave another object meanwhile.
        Transient: S3 did not answer.
    """
    if not location.startswith("s3://"):
        return _local(location)
    bucket, key = split_s3_uri(location)
    try:
        etag = storage.etag(bucket, key)
    except Denied as denied:
        raise ModelUnavailable(f"{denied.reason}, or there is no such object") from denied
    if etag is None:
        raise ModelUnavailable(f"{location} does not exist: upload it, or correct the deployment's location")
    digest = hashlib.sha256(f"{location}\n{etag}".encode()).hexdigest()[:24]
    target = cache / digest / PurePosixPath(key).name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(storage, bucket, key, target, etag)
    return target


def fetch_model(location: str, cache: Path, storage: Storage) -> Path:
    """The model as an ``.onnx`` file; for a ``.pt`` the ``.onnx`` beside it is taken.

    A ``.pt`` is a pickle, that is, code of whoever made it: it is never loaded here.

    Raises:
        ModelUnavailable: there is none; the message holds the export command.
        Transient: S3 did not answer.
    """
    suffix = PurePosixPath(location).suffix.lower()
    if location.lower().endswith(_DIRECT):
        return fetch(location, cache, storage)
    if suffix != ".pt":
        raise ModelUnavailable(
            f"{location}: the worker runs .onnx models, or a .tar.gz that holds one; export it to ONNX first"
        )
    sibling = location[: -len(suffix)] + ".onnx"
    try:
        path = fetch(sibling, cache, storage)
    except ModelUnavailable as absent:
        name = PurePosixPath(location).name
        raise ModelUnavailable(
            f"{location} is a PyTorch pickle, which the worker does not run, and there is no {sibling}. "
            f"Make one and upload it there. {EXPORT_COMMANDS.format(name=name)}"
        ) from absent
    logger().info("using %s in place of %s", sibling, location)
    return path


def _local(location: str) -> Path:
    path = Path(location)
    if not path.is_file():
        raise ModelUnavailable(f"{location} is no file: give an s3:// URI or a path inside the container")
    return path


def _download(storage: Storage, bucket: str, key: str, target: Path, etag: str) -> None:
    def observe(done: int, total: int) -> None:
        if done == total:
            logger().info("downloaded s3://%s/%s, %d bytes", bucket, key, total)

    try:
        storage.download(bucket, key, target, observe, etag)
    except JobRejected as refused:
        raise ModelUnavailable(refused.reason) from refused
