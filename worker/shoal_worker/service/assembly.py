"""Puts the worker together from its settings."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from shoal_worker.service.checkpoints import BucketStore, checkpoint_prefix
from shoal_worker.service.clients import make_client
from shoal_worker.service.consumer import Consumer
from shoal_worker.service.containing import check_containment
from shoal_worker.service.endpoint import Predictor, ServiceState, create_app
from shoal_worker.service.healthcheck import ALIVE_FILE
from shoal_worker.service.inference import SharedModel, load_shared_model
from shoal_worker.service.messages import VideoJob
from shoal_worker.service.model_source import fetch, fetch_model
from shoal_worker.service.progress import Activity
from shoal_worker.service.protection import TaskProtection
from shoal_worker.service.records import JobRecords
from shoal_worker.service.server import HttpServer, open_socket, open_unix_socket
from shoal_worker.service.settings import WorkerSettings
from shoal_worker.service.storage import Storage
from shoal_worker.service.supervisor import Supervisor
from shoal_worker.service.video_queue import VideoQueue
from shoal_worker.service.video_work import VideoWork


def build(settings: WorkerSettings) -> Supervisor:
    """The worker, ready to run; its port is open already.

    Raises:
        ConfigurationError: the port or the socket is taken, or the kernel lacks the containment that is
            required.
    """
    settings.work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    activity, stop = Activity(), threading.Event()
    identity = {
        "deployment": settings.deployment, "revision": settings.revision, "image": settings.image_uri,
        "containment": check_containment(settings.containment),
    }  # fmt: skip
    state = ServiceState(activity, settings.work_dir / "requests", identity)
    server = None
    if settings.has_endpoint:
        server = HttpServer(create_app(state), _listener(settings))
    alive: Path = settings.work_dir / ALIVE_FILE
    return Supervisor(_loader(settings, activity, stop), state, server, stop, alive)


def _listener(settings: WorkerSettings) -> socket.socket:
    if settings.socket:
        return open_unix_socket(settings.socket)
    return open_socket(settings.host, settings.port)


def _loader(
    settings: WorkerSettings, activity: Activity, stop: threading.Event
) -> Callable[[], tuple[Predictor, Consumer | None]]:
    def load() -> tuple[Predictor, Consumer | None]:
        storage = Storage(make_client("s3", settings.region))
        model = replace(_model(settings, storage), checkpoints=_checkpoints(settings))
        return model, _consumer(settings, storage, model, activity, stop) if settings.has_queue else None

    return load


def _checkpoints(settings: WorkerSettings) -> Callable[[VideoJob], BucketStore]:
    client = make_client("s3", settings.region)

    def store(job: VideoJob) -> BucketStore:
        return BucketStore(client, settings.track_bucket, checkpoint_prefix(job.message.video))

    return store


def _model(settings: WorkerSettings, storage: Storage) -> SharedModel:
    cache = settings.work_dir / "cache"
    path = fetch_model(settings.model, cache, storage)
    config = fetch(settings.track_config, cache, storage) if settings.track_config else None
    return load_shared_model(path, config, settings, lambda location: fetch(location, cache, storage))


def _consumer(
    settings: WorkerSettings, storage: Storage, model: SharedModel, activity: Activity, stop: threading.Event
) -> Consumer:
    queue = VideoQueue(make_client("sqs", settings.region), settings.video_queue)
    work = VideoWork(
        storage, model.track_job, settings.video_bucket, settings.track_bucket, settings.work_dir
    )
    return Consumer(
        deployment=settings.deployment,
        queue=queue,
        records=JobRecords(
            make_client("dynamodb", settings.region), settings.jobs_table, settings.deployment
        ),
        work=work,
        protection=TaskProtection(settings.agent_uri, settings.timeout_hours),
        activity=activity,
        stop=stop,
        timeout_seconds=settings.timeout_seconds,
        maximum_receives=queue.maximum_receives(),
    )
