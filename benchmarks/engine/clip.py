"""A clip repeated by copying its packets: long enough to time, and nothing is encoded anew."""

from __future__ import annotations

from pathlib import Path

import av


def repeat(clip: Path, target: Path, times: int) -> Path:
    """Write ``clip``'s picture track ``times`` over, one after the other, from time stamp 0."""
    with av.open(str(target), "w") as out:
        stream, base = None, 0
        for _ in range(times):
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                packets = [packet for packet in source.demux(video) if packet.size]
                start = min(packet.dts for packet in packets)
                step = packets[0].duration or round(1 / (video.average_rate * video.time_base))
                for packet in packets:
                    packet.pts, packet.dts = packet.pts - start + base, packet.dts - start + base
                    packet.stream = stream
                    out.mux(packet)
                base = max(max(packet.pts, packet.dts) for packet in packets) + step
    return target
