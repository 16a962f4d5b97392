"""Video jobs: recorded, sent, listed."""

from shoal.jobs.queue import send
from shoal.jobs.store import fail, get, list_jobs, record
from shoal.jobs.submission import Submission, messages_of

__all__ = ["Submission", "fail", "get", "list_jobs", "messages_of", "record", "send"]
