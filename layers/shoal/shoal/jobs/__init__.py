"""Video jobs: recorded once for each piece of work, fed to the queue, listed."""

from shoal.jobs import changes, deaths, dives, manifests, recovery, uploads
from shoal.jobs.feed import top_up, withdraw
from shoal.jobs.intake import take
from shoal.jobs.store import get, list_jobs
from shoal.jobs.submission import Submission

__all__ = [
    "Submission",
    "changes",
    "deaths",
    "dives",
    "get",
    "list_jobs",
    "manifests",
    "recovery",
    "take",
    "top_up",
    "uploads",
    "withdraw",
]
