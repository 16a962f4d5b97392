"""Which file and which image a specification means, checked against the registry and S3."""

from __future__ import annotations

import unicodedata

from shoal import registry
from shoal.api.validate import field_error
from shoal.aws import client, code_of, domain_errors
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.names import split_s3_uri
from shoal.contracts.registry import ModelVersion
from shoal.errors import InvalidRequest, NotFound
from shoal.settings import settings

_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_FORBIDDEN = frozenset({"403", "AccessDenied"})
_READABLE = "in its own bucket it reads below models/ and track-config/, and every bucket of ModelBuckets"
_PICKLES = (".pt", ".pth")
_SERVED = ".onnx"


def resolve(spec: DeploymentSpec) -> tuple[DeploymentSpec, list[Adjustment]]:
    """The specification with its model's place, version and image filled in.

    Raises:
        InvalidRequest: naming the field whose model, version, image or object does not exist.
    """
    if spec.registered_model:
        spec = _from_registry(spec)
    elif spec.image_version:
        raise field_error("image_version", "it belongs to a registered model: name registered_model or image")
    location = spec.model_location or ""
    used = _existing_model(location)
    if spec.track_config:
        _check_exists("track_config", spec.track_config)
    if not spec.image and not settings().worker_image:
        raise field_error("image", "name one: the model has none, and the stack has no WorkerImage")
    if used == location:
        return spec, []
    reason = "a pickle is code and no worker opens one; the ONNX file beside it is used"
    adjustment = Adjustment(field="model_location", given=location, used=used, reason=reason)
    return spec.model_copy(update={"model_location": used}), [adjustment]


def _from_registry(spec: DeploymentSpec) -> DeploymentSpec:
    try:
        found = registry.get(str(spec.registered_model), spec.model_version)
    except NotFound as error:
        field = "registered_model" if spec.model_version is None else "model_version"
        raise InvalidRequest(error.detail, [{"field": field, "detail": error.detail}]) from error
    if spec.model_location not in {None, found.s3_location}:
        raise field_error("model_location", f"the registry says {found.s3_location}: leave it out")
    facts = {
        "model_location": found.s3_location,
        "model_version": found.version,
        "image": spec.image or _image(spec, found),
    }
    return spec.model_copy(update=facts)


def _image(spec: DeploymentSpec, found: ModelVersion) -> str | None:
    """The image that was built with this version, by digest; None for the stack's own worker image."""
    wanted = spec.image_version
    if wanted and wanted != found.image_version:
        known = f"it is {found.image_version}" if found.image_version else "none was built"
        advice = "leave it out for the stack's image, or run the workflow model-image.yml"
        detail = f"{found.model} version {found.version} has no image version {wanted} ({known}): {advice}"
        raise field_error("image_version", detail)
    if not found.image:
        return None
    folder, slash, name = found.image.rpartition("/")
    repository = folder + slash + name.partition(":")[0]
    return f"{repository}@{found.image_digest}" if found.image_digest else found.image


def _existing_model(location: str) -> str:
    """The location a worker can open."""
    if not location.endswith(_PICKLES):
        _check_exists("model_location", location)
        return location
    sibling = location.rsplit(".", 1)[0] + _SERVED
    if _exists("model_location", sibling):
        return sibling
    _check_exists("model_location", location)
    name = location.rsplit("/", 1)[-1]
    raise field_error(
        "model_location",
        f"{name} is a pickle, and no worker opens one: put {sibling} beside it (YOLOv5: `python export.py "
        f"--weights {name} --include onnx`; later ones: `yolo export model={name} format=onnx`)",
    )


def _check_exists(field: str, location: str) -> None:
    if not _exists(field, location):
        raise field_error(field, f"there is no object {location}: upload it, or correct the location")


def _exists(field: str, location: str) -> bool:
    """Whether the object is there; with s3:ListBucket a missing one answers 404, without it 403."""
    from botocore.exceptions import ClientError

    bucket, key = split_s3_uri(location)
    _check_place(field, bucket, key)
    with domain_errors(f"look for {location}"):
        try:
            client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in _ABSENT:
                return False
            if code_of(error) in _FORBIDDEN:
                raise field_error(field, f"the stack may not read {location}: {_READABLE}") from error
            raise
    return True


def _check_place(field: str, bucket: str, key: str) -> None:
    """Only buckets the operator named, only keys that mean themselves."""
    parts = key.split("/")
    if "" in parts or "." in parts or ".." in parts or unicodedata.normalize("NFC", key) != key:
        raise field_error(field, "the key may hold no empty part, no dot parts and only composed characters")
    allowed = [settings().need("data_bucket"), *filter(None, settings().model_buckets.split(","))]
    if bucket not in allowed:
        detail = f"bucket {bucket} is not one of {', '.join(allowed)}: use one, or add it to ModelBuckets"
        raise field_error(field, detail)
