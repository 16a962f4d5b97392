"""Which decoder works on a video: NVDEC through FFmpeg where a GPU runs the network, else the processor.

NVDEC needs the driver's ``libnvcuvid``, which a container has only with the capability ``video``. Where it is
missing, or for a codec that the card cannot decode, FFmpeg falls back to the processor, and the archive says
so.
"""

from __future__ import annotations

from typing import Any

from av.codec.hwaccel import HWAccel, hwdevices_available

NVDEC = "cuda"
GPU_PROVIDERS = frozenset({"CUDAExecutionProvider", "TensorrtExecutionProvider"})


def accelerator(device: str | None) -> HWAccel | None:
    """FFmpeg's accelerator for ``cuda`` or ``cuda:<index>``; None for None, and where this FFmpeg has
    none."""
    kind, _, index = (device or "").partition(":")
    if not kind or kind not in hwdevices_available():
        return None
    return HWAccel(device_type=kind, device=index or None, allow_software_fallback=True)


def decoding_device(provider: str, device: str | None) -> str | None:
    """Where to decode for a network that ``provider`` runs on ``device``: on the same card, or None."""
    if provider not in GPU_PROVIDERS:
        return None
    index = (device or "").partition(":")[2]
    return f"{NVDEC}:{index}" if index else NVDEC


def decoder_name(context: Any) -> str:
    """``hevc (NVDEC)`` or ``hevc``: what a codec context decodes with."""
    return f"{context.name} (NVDEC)" if getattr(context, "is_hwaccel", False) else str(context.name)
