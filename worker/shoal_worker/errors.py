"""What can go wrong inside the engine. Each error has a stable code, and its message says what to do."""

from __future__ import annotations


class EngineError(Exception):
    """The root of the engine's errors; ``detail`` is for a person, ``code`` for a program."""

    code = "engine"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class VideoError(EngineError):
    """The file is not a video that can be decoded. The same file would fail again."""

    code = "video-unreadable"


class PictureError(EngineError):
    """The bytes are not a picture that can be decoded."""

    code = "picture-unreadable"


class ModelError(EngineError):
    """The model cannot be read, or its layout is not one that the worker knows."""

    code = "model-invalid"


class OptionsError(EngineError):
    """An ``--args`` string, or a value in it, cannot be used."""

    code = "options-invalid"


class TrackConfigError(EngineError):
    """The tracker's YAML cannot be used."""

    code = "track-config-invalid"


class ArchiveError(EngineError):
    """A file is not a ``tracks.tar.gz`` of this form."""

    code = "archive-invalid"


class ReproductionError(EngineError):
    """A result cannot be made again from what is given."""

    code = "not-reproducible"


class ExportError(EngineError):
    """A result cannot be written in another form."""

    code = "export-failed"


class TrackingStopped(EngineError):
    """The caller's ``stop`` said so; nothing was written."""

    code = "stopped"
