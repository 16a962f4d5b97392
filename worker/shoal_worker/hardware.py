"""Which decoder works on a video: the card's own where a GPU runs the network, else the processor.

NVDEC is reached through NVIDIA's PyNvVideoCodec where that is installed, else through FFmpeg. Both need the
driver's ``libnvcuvid``, which a container has only with the capability ``video``. Where it is missing, or for
a codec that the card cannot decode, the next in that order takes over, and the archive says which one did.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

from av.codec.hwaccel import HWAccel, hwdevices_available

NVDEC, NVCODEC = "cuda", "pynvvideocodec"
GPU_PROVIDERS = frozenset({"CUDAExecutionProvider", "TensorrtExecutionProvider"})


@dataclass(frozen=True, slots=True)
class Installed:
    """What could decode on a card here: PyNvVideoCodec, and the devices that FFmpeg was built with."""

    nvcodec: bool
    ffmpeg: frozenset[str]


def installed() -> Installed:
    """What is installed in this process, whether or not there is a card."""
    return Installed(importlib.util.find_spec("PyNvVideoCodec") is not None, frozenset(hwdevices_available()))


def decoding_device(provider: str, device: str | None, here: Installed, decoders: int = 1) -> str | None:
    """Where to decode for a network that ``provider`` runs on ``device``: on the same card, or None.

    ``pynvvideocodec`` or ``cuda`` (FFmpeg), with the card's number where one was named. A file that several
    ``decoders`` share is cut by time stamps, which only FFmpeg's frames carry.
    """
    if provider not in GPU_PROVIDERS:
        return None
    kinds = [(NVCODEC, here.nvcodec and decoders == 1), (NVDEC, NVDEC in here.ffmpeg)]
    kind = next((name for name, usable in kinds if usable), None)
    index = (device or "").partition(":")[2]
    return f"{kind}:{index}" if kind and index else kind


def nvcodec_card(device: str | None) -> int | None:
    """The card's number of ``pynvvideocodec`` or ``pynvvideocodec:<index>``; None for anything else."""
    kind, _, index = (device or "").partition(":")
    return int(index or 0) if kind == NVCODEC else None


def accelerator(device: str | None) -> HWAccel | None:
    """FFmpeg's accelerator for ``cuda`` or ``cuda:<index>``, which also stands in for PyNvVideoCodec; None
    for None, and where this FFmpeg has none."""
    kind, _, index = (device or "").partition(":")
    kind = NVDEC if kind == NVCODEC else kind
    if not kind or kind not in hwdevices_available():
        return None
    return HWAccel(device_type=kind, device=index or None, allow_software_fallback=True)


def decoder_name(context: Any) -> str:
    """``hevc (NVDEC)`` or ``hevc``: what a codec context decodes with."""
    return f"{context.name} (NVDEC)" if getattr(context, "is_hwaccel", False) else str(context.name)
