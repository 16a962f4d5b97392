"""The converting process: reads one checkpoint, writes one ONNX file, and answers a JSON line.

Started by ``shoal model convert`` in an interpreter that has torch, without the caller's environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

MINUTES = 20
LARGEST_FILE = 4 * 1024**3
OPSET = 18
NEEDED = 3
"""The exit status where torch, onnx or onnxscript is missing."""
REFUSED = 4
"""The exit status where the checkpoint is refused."""


def main(arguments: list[str]) -> int:
    """``[checkpoint, target, height, width]`` (0: as trained); prints what was made, or why not."""
    _limit()
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it
        import torch
    except ImportError as error:
        print(json.dumps({"missing": error.name}))  # noqa: T201 - the answer to the parent
        return NEEDED
    from shoal_cli.convert.checkpoint import Refused, read_checkpoint

    source, target = Path(arguments[0]), Path(arguments[1])
    try:
        checkpoint = read_checkpoint(source)
        size = checkpoint.input_size(int(arguments[2]), int(arguments[3]))
    except Refused as refused:
        print(json.dumps({"refused": str(refused)}))  # noqa: T201
        return REFUSED
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    model = _exported(torch, checkpoint.network, picture)
    onnx.helper.set_model_props(model, _metadata(checkpoint, size, source))
    target.write_bytes(model.SerializeToString())
    expected = checkpoint.network(picture).detach().numpy()
    answer = {"layout": checkpoint.layout, "classes": len(checkpoint.names), "size": size,
              "difference": _difference(model, picture.numpy(), expected)}  # fmt: skip
    print(json.dumps(answer))  # noqa: T201
    return 0


def _limit() -> None:
    """A checkpoint that hangs or grows ends here, and leaves no core file with what it read."""
    resource.setrlimit(resource.RLIMIT_CPU, (MINUTES * 60, MINUTES * 60))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _exported(torch: Any, network: Any, picture: Any) -> Any:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network, (picture,), input_names=["images"], output_names=["output0"], opset_version=OPSET,
            dynamo=True, verbose=False,
        )  # fmt: skip
    return program.model_proto


def _metadata(checkpoint: Any, size: tuple[int, int], source: Path) -> dict[str, str]:
    with source.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "names": repr(checkpoint.names),
        "stride": str(checkpoint.stride),
        "imgsz": repr(list(size)),
        "shoal.layout": checkpoint.layout,
        "shoal.converted_from_sha256": digest,
    }


def _difference(model: Any, picture: Any, expected: Any) -> float | None:
    """The largest difference between the network and its export, where ONNX Runtime is there to tell."""
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(abs(session.run(None, {"images": picture})[0] - expected).max())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
