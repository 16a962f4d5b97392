"""The start-up check of the decoder's containment: which layers this kernel has, told in log and status."""

from __future__ import annotations

from shoal_worker.containment.landlock import landlock_version
from shoal_worker.containment.seccomp import seccomp_available
from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.logs import logger
from shoal_worker.service.settings import Containment


def check_containment(wanted: Containment) -> str:
    """What a decoder is contained by, as a line for ``GET /status``.

    Raises:
        ConfigurationError: every layer is required and the kernel lacks one.
    """
    if wanted == "off":
        logger().warning("decoders are not contained (SHOAL_CONTAINMENT=off): track trusted videos only")
        return "off"
    version, seccomp = landlock_version(), seccomp_available()
    layers = {f"Landlock {version}": version > 0, "seccomp": seccomp}
    missing = [name.partition(" ")[0] for name, there in layers.items() if not there]
    if missing and wanted == "required":
        raise ConfigurationError(
            f"this kernel has no {' and no '.join(missing)}: use Amazon Linux 2023 of August 2025 or later "
            "on x86-64 or AArch64, or set SHOAL_CONTAINMENT to available"
        )
    if missing:
        logger().warning("decoders are contained without %s: this kernel has none", " and ".join(missing))
    return ", ".join(["limits", "no new privileges", *(name for name, there in layers.items() if there)])
