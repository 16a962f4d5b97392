"""The scenes of the demo, in order; each does one thing a person would do with the command line or curl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
from rich.markup import escape
from rich.panel import Panel

from shoal_cli import watch
from shoal_cli.console import console
from shoal_cli.demo.stage import DEPLOYMENT, MODEL, RECIPIENT, Stage
from shoal_cli.deployments import DeploymentFailed, save
from shoal_cli.errors import CliError
from shoal_cli.jobs import download, print_jobs, upload, video_keys
from shoal_cli.registry import upload_model

_DEPLOY_SECONDS = 300.0
_TRACK_SECONDS = 600.0


def register(stage: Stage) -> None:
    """Put the packaged detector into the registry, with its measured score."""
    import shoal_detector

    path = shoal_detector.model_path()
    score: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())["score"]
    metrics = {name: float(value) for name, value in score.items() if isinstance(value, int | float)}
    body = {
        "model": MODEL,
        "versions": [{"s3_location": upload_model(stage.connection, MODEL, path), "metrics": metrics}],
    }
    version = stage.api.register(body)["versions"][0]
    console.print(f"registered {MODEL} version {version['version']}: {version['s3_location']}")


def deploy(stage: Stage) -> None:
    """POST /deploy and watch the state machine until READY."""
    answer = stage.api.deploy(
        {
            "name": DEPLOYMENT,
            "comment": "the demo's fleet",
            "registered_model": MODEL,
            "model_version": 1,
            "serves": ["queue", "endpoint"],
            "notify": [RECIPIENT],
        }
    )
    console.print(f"POST /deploy -> {answer['status']}, revision {answer['revision']}")
    stage.deployment = watch.watch_deployment(
        stage.api, DEPLOYMENT, timeout_seconds=_DEPLOY_SECONDS, poll_seconds=0.5
    )
    watch.print_deployment(stage.deployment)
    save(stage.output / "stacks" / DEPLOYMENT, stage.deployment)
    if stage.deployment["status"] != "READY":
        raise DeploymentFailed(
            f"{DEPLOYMENT} ended {stage.deployment['status']}: {stage.deployment.get('reason')}"
        )


def process(stage: Stage) -> None:
    """Upload the videos, submit them, wait for the fleet, download the archives."""
    keys = video_keys(DEPLOYMENT, stage.videos)
    upload(stage.connection, keys)
    body = {
        "videos": list(keys.values()),
        "job_name": "demo dive",
        "user_name": "demo",
        "args": "--conf-thres=0.25",
    }
    submitted = stage.api.submit(DEPLOYMENT, body)["jobs"]
    ids = [one["job_id"] for one in submitted]
    stage.jobs = watch.watch_jobs(
        stage.api, DEPLOYMENT, ids, timeout_seconds=_TRACK_SECONDS, poll_seconds=0.5
    )
    print_jobs(stage.jobs)
    failed = [job for job in stage.jobs if job["status"] != "SUCCEEDED"]
    if failed:
        raise CliError(f"{failed[0]['video']} was not tracked: {failed[0]['reason']}")
    stage.archives = download(stage.connection, stage.jobs, stage.output / "archives")


def predict(stage: Stage, frame: Path) -> None:
    """What `curl -F image=@frame.png <URL from the e-mail>/predict` answers."""
    url = f"{endpoint_in_mail(stage)}/predict"
    with frame.open("rb") as image:
        response = requests.post(url, files={"image": (frame.name, image, "image/png")}, timeout=30)
    response.raise_for_status()
    boxes = response.json()["boxes"]
    (stage.output / "predict.json").write_text(json.dumps(response.json(), indent=2) + "\n")
    console.print(f"curl -F image=@{frame.name} {url} -> {len(boxes)} boxes")


def endpoint_in_mail(stage: Stage) -> str:
    """The endpoint's URL, read from the e-mail as its recipient would."""
    url = str(stage.deployment["endpoint"]).rstrip("/")
    if not any(url in message["text"] for message in stage.mailbox()):
        raise CliError(f"no e-mail names the endpoint {url}", "see /_shoal/mailbox of the embedded cloud")
    return url


def show_mail(stage: Stage) -> None:
    """Save each e-mail that was sent, as HTML and as text."""
    folder = stage.output / "email"
    folder.mkdir(parents=True, exist_ok=True)
    for number, message in enumerate(stage.mailbox(), 1):
        (folder / f"{number}.html").write_text(message["html"])
        (folder / f"{number}.txt").write_text(f"Subject: {message['subject']}\n\n{message['text']}")
        title = f"e-mail {number} to {', '.join(message['to'])}"
        console.print(Panel(escape(message["text"].strip()), title=title, title_align="left", width=100))


def delete(stage: Stage) -> None:
    """DELETE /deploy/{name} and watch until nothing is left."""
    stage.api.delete(DEPLOYMENT)
    final = watch.watch_deployment(stage.api, DEPLOYMENT, timeout_seconds=_DEPLOY_SECONDS, poll_seconds=0.5)
    if final["status"] != "DELETED":
        raise DeploymentFailed(f"{DEPLOYMENT} ended {final['status']}: {final.get('reason')}")
    console.print(f"DELETE /deploy/{DEPLOYMENT} -> {final['status']}")


def refuses(stage: Stage) -> None:
    """The endpoint is gone with its deployment."""
    try:
        requests.get(f"{stage.deployment['endpoint']}/health", timeout=5)
    except requests.ConnectionError:
        console.print(f"{stage.deployment['endpoint']} refuses connections")
        return
    raise CliError(f"{stage.deployment['endpoint']} still answers after its deletion")
