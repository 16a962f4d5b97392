"""The rendered file: frames, rate, truth beside it, and the command line."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from shoal_detector.canvas import Image
from shoal_detector.render import main, render_frames, render_video, truth_path
from shoal_detector.truth import TruthBox, read_boxes


def test_the_video_holds_the_rendered_frames_and_the_truth_lies_beside_it(tmp_path: Path) -> None:
    # Given
    path, seen = tmp_path / "reef.mp4", []

    # When
    truth = render_video(path, seed=11, frames=12, width=320, height=192, on_frame=lambda: seen.append(1))

    # Then
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.average_rate == 30
    wanted = [picture for picture, _ in render_frames(11, 12, 320, 192)]
    assert len(pictures) == len(seen) == 12
    assert all(_mean_error(*pair) < 8 for pair in zip(pictures, wanted, strict=True))
    assert truth_path(path) == tmp_path / "reef.gt.txt"
    assert set(read_boxes(truth_path(path))) == {_rounded(box) for box in truth.boxes}


@pytest.mark.parametrize(("width", "height", "frames"), [(641, 384, 5), (640, 383, 5), (640, 384, 0)])
def test_sizes_that_cannot_be_encoded_are_refused_before_a_file_is_made(
    tmp_path: Path, width: int, height: int, frames: int
) -> None:
    # When
    with pytest.raises(ValueError, match="even sides and at least one frame"):
        render_video(tmp_path / "no.mp4", 1, frames, width, height)

    # Then
    assert not list(tmp_path.iterdir())


def test_the_command_line_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # When
    main(["--seed", "4", "--frames", "3", "--width", "320", "--height", "192", str(tmp_path / "a.mp4")])

    # Then
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "a.gt.txt"}
    assert "3 frames" in capsys.readouterr().err


def _rounded(box: TruthBox) -> TruthBox:
    return TruthBox.parse(box.line())


def _mean_error(first: Image, second: Image) -> float:
    return float(np.abs(first.astype(int) - second).mean())
