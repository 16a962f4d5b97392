"""Trains the detector on rendered scenes and exports it (needs torch): ``python -m shoal_detector.train``."""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from shoal_detector import model_path
from shoal_detector.export import export, write_card
from shoal_detector.losses import assign, detection_loss
from shoal_detector.network import Drifters, cell_centres
from shoal_detector.samples import INPUT_HEIGHT, INPUT_WIDTH, Sample, render_pool, vary

AVERAGING = 0.998
LOG_EVERY = 100


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out."""

    seed: int = 1
    first_scene: int = 10_000
    scenes: int = 320
    steps: int = 1900
    batch: int = 16
    learning_rate: float = 4e-3
    weight_decay: float = 1e-3


@dataclass(frozen=True)
class Batch:
    """Pictures (b, 3, h, w), owners (b*n,) of every cell, and the boxes and labels that they point to."""

    pictures: Tensor
    owners: Tensor
    boxes: Tensor
    labels: Tensor


def collate(samples: Sequence[Sample], x: Tensor, y: Tensor) -> Batch:
    """One batch out of varied samples."""
    pictures = np.stack([sample.picture for sample in samples]).transpose(0, 3, 1, 2)
    owners, start = [], 0
    for sample in samples:
        own = assign(torch.from_numpy(sample.boxes), x, y)
        owners.append(torch.where(own >= 0, own + start, own))
        start += len(sample.boxes)
    boxes = torch.from_numpy(np.concatenate([sample.boxes for sample in samples]))
    labels = torch.from_numpy(np.concatenate([sample.labels for sample in samples]))
    return Batch(torch.from_numpy(pictures.astype(np.float32) / 255), torch.cat(owners), boxes, labels)


def loss_of(network: Drifters, batch: Batch, x: Tensor, y: Tensor) -> Tensor:
    """Forward and loss of one batch."""
    logits, sides = network.raw(batch.pictures)
    corners = torch.stack([x - sides[:, 0], y - sides[:, 1], x + sides[:, 2], y + sides[:, 3]], dim=2)
    flat = logits.transpose(1, 2).reshape(-1, logits.shape[1])
    return detection_loss(flat, corners.reshape(-1, 4), batch.owners, batch.boxes, batch.labels)


def train(recipe: Recipe, pool: Sequence[Sample], progress: Progress) -> Drifters:
    """Train from scratch; what comes back holds the running average of the weights."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = Drifters().to(memory_format=torch.channels_last)
    average: Drifters = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, recipe.steps, pct_start=0.15
    )
    x, y = cell_centres(INPUT_HEIGHT, INPUT_WIDTH)
    task = progress.add_task("training", total=recipe.steps)
    for step in range(recipe.steps):
        picks = rng.integers(0, len(pool), recipe.batch)
        batch = collate([vary(pool[pick], rng) for pick in picks], x, y)
        loss = loss_of(network, batch, x, y)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        schedule.step()
        follow(average, network, min(AVERAGING, step / (step + 10)))
        progress.update(task, advance=1, description=f"training, loss {loss.item():.3f}")
        if step % LOG_EVERY == 0:
            progress.console.log(f"step {step}, loss {loss.item():.3f}")
    return average


def follow(average: Drifters, network: Drifters, keep: float) -> None:
    """Move the running average towards the network's weights (a state_dict's tensors carry no gradient)."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    recipe = Recipe()
    parser = argparse.ArgumentParser(prog="python -m shoal_detector.train", description=__doc__)
    parser.add_argument("--seed", type=int, default=recipe.seed)
    parser.add_argument("--steps", type=int, default=recipe.steps)
    parser.add_argument("--scenes", type=int, default=recipe.scenes, help="rendered scenes, ten frames each")
    parser.add_argument("--output", type=Path, default=model_path(), help="the ONNX file to write")
    options = parser.parse_args(arguments)
    recipe = Recipe(seed=options.seed, steps=options.steps, scenes=options.scenes)
    started = time.monotonic()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("rendering scenes", total=recipe.scenes)
        pool = render_pool(recipe.first_scene, recipe.scenes, lambda: progress.advance(task))
        network = train(recipe, pool, progress)
    export(network, options.output)
    write_card(options.output, recipe, time.monotonic() - started)


if __name__ == "__main__":
    main()
