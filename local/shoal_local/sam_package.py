"""What ``sam package`` does: zip local folders, upload them, put S3 places into the template."""

from __future__ import annotations

import copy
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SKIPPED = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class _Artifact:
    kind: str
    prop: str
    zipped: bool


_ARTIFACTS = (
    _Artifact("AWS::Serverless::Function", "CodeUri", True),
    _Artifact("AWS::Serverless::LayerVersion", "ContentUri", True),
    _Artifact("AWS::Serverless::StateMachine", "DefinitionUri", False),
    _Artifact("AWS::Serverless::Api", "DefinitionUri", False),
)


def package(template: dict[str, Any], root: Path, s3: Any, bucket: str) -> dict[str, Any]:
    """The template with every local path replaced by ``s3://bucket/<hash of the content>``.

    ``root`` is the folder the paths are relative to; ``s3`` a client. Libraries are not installed: they come
    from the environment's own site-packages (``sam build`` does the real thing).
    """
    packaged = copy.deepcopy(template)
    defaults = packaged.get("Globals", {}).get("Function", {})
    uploaded: dict[Path, str] = {}
    for resource in packaged["Resources"].values():
        for artifact in _ARTIFACTS:
            if resource["Type"] == artifact.kind:
                _replace(resource, artifact, defaults, root, s3, bucket, uploaded)
    return packaged


def _replace(
    resource: dict[str, Any], artifact: _Artifact, defaults: dict[str, Any],
    root: Path, s3: Any, bucket: str, uploaded: dict[Path, str],
) -> None:  # fmt: skip
    properties = resource.setdefault("Properties", {})
    fallback = defaults.get(artifact.prop) if artifact.kind.endswith("Function") else None
    value = properties.get(artifact.prop, fallback)
    if not isinstance(value, str) or value.startswith("s3://"):
        return
    path = (root / value).resolve()
    if path not in uploaded:
        built = artifact.kind.endswith("LayerVersion") and "BuildMethod" in resource.get("Metadata", {})
        uploaded[path] = _upload(path, artifact.zipped, "python/" if built else "", s3, bucket)
    properties[artifact.prop] = uploaded[path]


def _upload(path: Path, zipped: bool, prefix: str, s3: Any, bucket: str) -> str:
    data = zip_folder(path, prefix) if zipped and path.is_dir() else path.read_bytes()
    key = hashlib.sha256(data).hexdigest()[:32] + (".zip" if zipped else path.suffix)
    s3.put_object(Bucket=bucket, Key=key, Body=data)
    return f"s3://{bucket}/{key}"


def zip_folder(folder: Path, prefix: str = "") -> bytes:
    """A folder as a zip, the same bytes for the same content; ``prefix`` is ``python/`` for a built layer."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            relative = file.relative_to(folder)
            if not file.is_file() or _SKIPPED & set(relative.parts) or file.suffix == ".pyc":
                continue
            archive.writestr(zipfile.ZipInfo(f"{prefix}{relative.as_posix()}", _EPOCH), file.read_bytes())
    return buffer.getvalue()
