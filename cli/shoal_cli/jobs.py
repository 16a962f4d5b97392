"""`shoal process` and `shoal results`: videos up, archives down."""

from __future__ import annotations

import fnmatch
import getpass
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from shoal_cli.api import Api
from shoal_cli.connection import Connection, connect
from shoal_cli.console import console, progress, status_text, table
from shoal_cli.errors import CliError
from shoal_cli.options import DeploymentOption, Stack, TimeoutMinutes
from shoal_cli.watch import watch_jobs

VIDEO_SUFFIXES = frozenset({".mov", ".avi", ".mp4", ".mpg", ".mpeg", ".m4v", ".wmv", ".mkv"})
"""What deepsea-ai accepts."""


SUBMITS = {"shoal-submitted-by": "shoal process"}
"""Metadata that keeps the intake from starting by the upload alone: a submission with options follows."""


def find_videos(paths: Iterable[Path], exclude: Sequence[str] = ()) -> list[Path]:
    """Videos among files and folders, in order; names with ``._`` (macOS shadows) are skipped.

    Raises:
        CliError: a path does not exist, a file is no video or is empty, or nothing is left.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise CliError(f"{path} does not exist")
        if path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES:
            raise CliError(f"{path} is no video", "accepted: " + " ".join(sorted(VIDEO_SUFFIXES)))
        found += [path] if path.is_file() else sorted(path.rglob("*"))
    videos = [path for path in found if _is_wanted(path, exclude)]
    empty = [path for path in videos if path.stat().st_size == 0]
    if empty:
        raise CliError(f"{empty[0]} is empty", "remove it or name it with --exclude")
    if not videos:
        raise CliError("no video was found", "name a file or a folder with videos")
    return videos


def _is_wanted(path: Path, exclude: Sequence[str]) -> bool:
    if not path.is_file() or path.suffix.lower() not in VIDEO_SUFFIXES or "._" in path.name:
        return False
    return not any(pattern in str(path) or fnmatch.fnmatch(str(path), pattern) for pattern in exclude)


def video_keys(deployment: str, videos: Sequence[Path]) -> dict[Path, str]:
    """The S3 key of each video: its path below the folder that all of them share.

    Raises:
        CliError: two videos would have the same key.
    """
    parents = [video.resolve().parent for video in videos]
    common = Path(*_common_parts([parent.parts for parent in parents]))
    keys = {
        video: f"videos/{deployment}/{(video.resolve().relative_to(common)).as_posix()}" for video in videos
    }
    if len(set(keys.values())) < len(videos):
        raise CliError("the same video is named twice")
    return keys


def _common_parts(paths: Sequence[tuple[str, ...]]) -> list[str]:
    return [column[0] for column in _while_equal(zip(*paths, strict=False))]


def _while_equal(columns: Iterable[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    for column in columns:
        if len(set(column)) > 1:
            return
        yield column


def upload(connection: Connection, keys: dict[Path, str]) -> None:
    """Upload what is not there yet with the same size; one bar over all bytes."""
    s3, bucket = connection.client("s3"), connection.data_bucket
    with progress() as bar:
        task = bar.add_task("uploading MiB", total=sum(path.stat().st_size for path in keys) >> 20 or 1)
        for path, key in keys.items():
            if _size(s3, bucket, key) != path.stat().st_size:
                s3.upload_file(str(path), bucket, key, ExtraArgs={"Metadata": SUBMITS})
            bar.advance(task, path.stat().st_size >> 20)
        bar.update(task, completed=bar.tasks[0].total)


def _size(s3: Any, bucket: str, key: str) -> int | None:
    try:
        return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def process(
    videos: Annotated[list[Path], typer.Argument(help="video files or folders")],
    deployment: DeploymentOption,
    job: Annotated[str, typer.Option("--job", help="a name for this dive")] = "",
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", "-e", help="skip paths with this text")
    ] = None,
    args: Annotated[
        str, typer.Option("--args", help='detector arguments, e.g. "--conf-thres=0.01 --save-vid"')
    ] = "",
    clean: Annotated[
        bool, typer.Option("--clean", help="remove each video from S3 once its result is safe")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="track again what is tracked already")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be sent")] = False,
    wait: Annotated[bool, typer.Option(help="wait until every video is tracked")] = False,
    stack: Stack = None,
    timeout: TimeoutMinutes = 24 * 60,
) -> None:
    """Upload videos and submit them for tracking."""
    keys = video_keys(deployment, find_videos(videos, exclude or []))
    if dry_run:
        table("would be submitted", ("video", "key"), ((path, key) for path, key in keys.items()))
        return
    connection = connect(stack)
    upload(connection, keys)
    body = {
        "videos": list(keys.values()),
        "job_name": job,
        "args": args,
        "clean": clean,
        "force": force,
        "user_name": getpass.getuser(),
    }
    api = Api(connection)
    answer = api.submit(deployment, body)
    submitted = answer["jobs"]
    known = len(submitted) - answer.get("new", len(submitted))
    console.print(
        f"{len(submitted)} videos submitted to {deployment}" + (f", {known} of them known" if known else "")
    )
    if wait:
        print_jobs(
            watch_jobs(api, deployment, [one["job_id"] for one in submitted], timeout_seconds=timeout * 60)
        )


def print_jobs(records: Iterable[dict[str, Any]]) -> None:
    """One row for each video."""
    rows = (
        (
            one["video"].rsplit("/", 1)[-1],
            status_text(one["status"]),
            one.get("frames"),
            one.get("tracks"),
            one.get("reason"),
        )
        for one in records
    )
    table("videos", ("video", "status", "frames", "tracks", "reason"), rows)


def results(
    deployment: Annotated[str, typer.Argument(help="the deployment")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the archives")] = Path("tracks"),
    job: Annotated[str, typer.Option("--job", help="only this dive")] = "",
    stack: Stack = None,
) -> None:
    """Download the finished archives and list what failed."""
    connection = connect(stack)
    records = [one for one in Api(connection).jobs(deployment) if not job or one.get("job_name") == job]
    print_jobs(records)
    for path in download(connection, records, output):
        console.print(f"  {path}")


def download(connection: Connection, records: Iterable[dict[str, Any]], folder: Path) -> list[Path]:
    """The archives of finished jobs, kept in the folders they have in S3."""
    s3, paths = connection.client("s3"), []
    for record in records:
        if not record.get("result"):
            continue
        key = str(record["result"])
        path = folder / Path(*[part for part in key.split("/")[2:] if part not in {"", ".", ".."}])
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(connection.data_bucket, key, str(path))
        paths.append(path)
    return paths
