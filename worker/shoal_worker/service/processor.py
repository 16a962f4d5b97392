"""The start-up check of the host's processor (the seeds' "Machine Compatibility")."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.logs import logger

REQUIRED_FLAGS = {"sse4_1": "SSE4.1", "avx": "AVX", "avx2": "AVX2", "f16c": "F16C", "fma": "FMA3"}
"""The kernel's name of each instruction set the wheels of NumPy, OpenCV and ONNX Runtime are fast with."""

_X86 = frozenset({"x86_64", "amd64", "i386", "i686"})


def missing_features(cpuinfo: str) -> list[str]:
    """Names of the required instruction sets that the text of ``/proc/cpuinfo`` does not list."""
    flags: set[str] = set()
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            flags = set(value.split())
            break
    return [name for flag, name in REQUIRED_FLAGS.items() if flag not in flags]


def check_processor(machine: str = "", cpuinfo: Path = Path("/proc/cpuinfo"), bits: int = 0) -> None:
    """Refuse a processor that cannot run the worker; warn where the answer is not known.

    Raises:
        ConfigurationError: a 32-bit process, or an x86 processor without a required instruction set.
    """
    if (bits or 8 * struct.calcsize("P")) < 64:
        raise ConfigurationError("the worker needs a 64-bit Python: use the 64-bit image")
    machine = (machine or platform.machine()).lower()
    if machine not in _X86:
        logger().warning("processor %s is not x86: it is not measured, watch the speed", machine)
        return
    if not cpuinfo.is_file():
        logger().warning("no %s: the processor's instruction sets are not checked", cpuinfo)
        return
    if missing := missing_features(cpuinfo.read_text(encoding="ascii", errors="replace")):
        raise ConfigurationError(
            f"this processor lacks {', '.join(missing)}: use an instance type of 2015 or later "
            "(c5, g4dn, g5, g6 or Fargate x86), or let the virtual machine pass these features through"
        )
