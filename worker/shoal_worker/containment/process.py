"""Starts a contained process without credentials, hears it with a time limit, and ends it for certain."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shoal_worker.containment.channel import ChannelError, Message, create_memory, receive, resize, send
from shoal_worker.errors import VideoError

DECODE = ("-m", "shoal_worker.containment.child")
_WAIT_SECONDS = 10.0


class DecoderStopped(VideoError):
    """The contained decoder died, or was ended because it was ``silent`` or lied."""

    code = "video-decoder-stopped"

    def __init__(self, detail: str, *, silent: bool = False) -> None:
        super().__init__(detail)
        self.silent = silent


class ContainedProcess:
    """One child, its channel and its shared memory. Close it; it dies with this process too.

    Args:
        entry: what Python runs; two handles are appended.
        name: of the video, for messages.
        silence: seconds without a message after which the child is ended.
    """

    def __init__(self, name: str, silence: float, entry: Sequence[str] = DECODE) -> None:
        self._name, self._silence = name, silence
        self._socket, theirs = socket.socketpair()
        self.memory = create_memory()
        handles = (theirs.fileno(), self.memory)
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603 - this Python and a module of ours
                [sys.executable, *entry, *map(str, handles)],
                pass_fds=handles, env=_environment(), cwd="/", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._child.pid

    def tell(self, message: Message) -> None:
        """Send a message; raises DecoderStopped when the child is gone."""
        try:
            send(self._socket.fileno(), message)
        except ChannelError as error:
            raise self._stopped(error) from error

    def hear(self, patience: float | None = None) -> Message:
        """The child's next message; ``patience`` in seconds where it may take longer than a frame.

        Raises:
            DecoderStopped: it died, was silent for too long (and is ended), or said nonsense (and is ended).
        """
        try:
            return receive(self._socket.fileno(), patience or self._silence)
        except ChannelError as error:
            raise self._stopped(error) from error

    def give_back(self, slot: int) -> None:
        """Tell the child that a slot of the memory is free; a child that is gone need not know."""
        try:
            self._socket.send(bytes([slot]))
        except OSError:
            return

    def fix_memory(self, size: int) -> None:
        """Give the shared memory its size."""
        resize(self.memory, size)

    def lied(self, error: ChannelError) -> DecoderStopped:
        """What to raise when the child said what cannot be."""
        return self._stopped(error)

    def close(self) -> None:
        """End the child, whatever it does, and free everything."""
        self._child.kill()
        self._child.wait()
        self._socket.close()
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def _stopped(self, error: ChannelError) -> DecoderStopped:
        if error.gone:
            return DecoderStopped(f"the decoder {self._ending()} on {self._name}: {_ADVICE}")
        self._child.kill()
        if error.silent:
            return DecoderStopped(
                f"the decoder gave no frame of {self._name} for {self._silence:g} s and was ended: {_ADVICE}",
                silent=True,
            )
        return DecoderStopped(f"the decoder of {self._name} sent {error} and was ended: {_ADVICE}")

    def _ending(self) -> str:
        try:
            status = self._child.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its channel"
        if status == -signal.SIGXCPU:
            return "used up its processor time"
        return f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


_ADVICE = "the file is damaged or hostile; if you trust it, convert it with ffmpeg and submit that"


def _environment() -> dict[str, str]:
    """Nothing of ours but where Python finds its modules: no credential, no address, no proxy."""
    return {
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry and Path(entry).exists()),
        "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
