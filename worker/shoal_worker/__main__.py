"""The container's entry point: ``python -m shoal_worker``."""

from __future__ import annotations

import os
import sys

from shoal_worker.service.crash import crash_dumps
from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.logs import configure_logs, logger
from shoal_worker.service.processor import check_processor
from shoal_worker.service.settings import read_settings
from shoal_worker.service.supervisor import EXIT_CONFIGURATION


def main() -> int:
    """Serve until SIGTERM; 0 then, 78 when the environment or the model does not allow a start."""
    configure_logs({})
    try:
        settings = read_settings(os.environ)
        configure_logs({"deployment": settings.deployment, "revision": settings.revision})
        check_processor()
        with crash_dumps(settings.crash_dir if settings.crash_dumps else None):
            # Imported here: a wrong environment is told before a second is spent on the engine.
            from shoal_worker.service.assembly import build

            return build(settings).run()
    except ConfigurationError as error:
        logger().error("the worker cannot start: %s", error.reason, extra={"code": error.code})
        return EXIT_CONFIGURATION


if __name__ == "__main__":
    sys.exit(main())
