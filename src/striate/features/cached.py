"""Training on kept maps: the frozen stages have run over every view of every image once, and the rest learns."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from striate.data import Batch, Batches, Rows
from striate.device import Machine
from striate.errors import UsageError
from striate.features.boxes import boxes_shown
from striate.features.extraction import Features
from striate.features.views import features_of, plain_view, views
from striate.graph.parts import Cut, cut
from striate.graph.runtime import rest_runner
from striate.nets import heads_of
from striate.tasks import Targets
from striate.training.run import Run

ON_IMAGES = ("noise", "erase", "mixup", "cutmix")  # what is done to a batch of images, which maps no longer are


def cached_features(run: Run, net: nn.Module, frozen: Sequence[str], count: int) -> "CachedFeatures":
    """What the frozen stages of a net give for a run's images, computed where the cache lacks it.

    Args:
        run: that the images belong to.
        net: with the values of its frozen stages.
        frozen: names of stages.
        count: of views of each training image.

    Raises:
        UsageError: the net cannot be cut there, or the recipe or the task needs the images of a batch.
    """
    for name in ON_IMAGES:
        if value := getattr(run.augment, name):
            raise UsageError(
                f"`{name}`: expected 0 where the maps of frozen stages are kept; got {value}. "
                "Try --views 0, which computes them anew from images in every epoch."
            )
    rows, held_out, shown = run.index.rows("train"), run.index.rows("val"), views(run, count)
    boxes = Boxes([boxes_shown(run, rows, view) for view in shown], boxes_shown(run, held_out, plain_view(run)))
    prefix = cut(net, frozen, run.preprocessing.input_size).prefix
    train = features_of(run, rows, prefix, shown, "train")
    val = features_of(run, held_out, prefix, [plain_view(run)], "val") if len(held_out) else [None]
    return CachedFeatures(run, frozen, train, val[0], boxes)


@dataclass(frozen=True)
class Boxes:
    """The boxes that go along with cached features, in pixels of each view; None where the task asks for none."""

    train: Sequence[NDArray[np.float32] | None]
    """(N, 4) of the training images, for each view."""

    val: NDArray[np.float32] | None
    """(N, 4) of the images held out."""


class CachedFeatures:
    """The values that cross from frozen stages to the rest, side by side as one vector an image.

    An epoch shows one kept view of each image, the next epoch the next.
    """

    def __init__(
        self, run: Run, frozen: Sequence[str], train: Sequence[Features], val: Features | None, boxes: Boxes
    ) -> None:
        """Args:
        run: whose images they are.
        frozen: names of stages.
        train: of the training images, each view.
        val: of the images held out, where there are any.
        boxes: of both.
        """
        self._run = run
        self._frozen = frozen
        self._train = train
        self._val = val
        self._boxes = boxes
        self._place = np.empty(len(run.index), np.int64)  # of each row among those of its split
        for split in ("train", "val"):
            rows = run.index.rows(split)
            self._place[rows] = np.arange(len(rows))

    def learner(self, net: nn.Module) -> nn.Module:
        """What follows the frozen stages."""
        parts = cut(net, self._frozen, self._run.preprocessing.input_size)
        return Learner(parts, self._run.machine, heads_of(net))

    def blank(self, count: int) -> Tensor:
        """Vectors (N, D) of zeros."""
        rows = self._run.index.rows("train")[:1]
        return self._moved(packed(self._train[0], self._place[rows])).repeat(count, 1).zero_()

    def batches(self, order: Batches, epoch: int, start: int) -> Iterator[Batch]:
        """Batches whose `images` are vectors (N, D), in the precision that they are kept in."""
        for step in range(start, len(order)):
            rows = order[step]
            yield Batch(self._shown(rows, epoch), rows, boxes=self._boxes_shown(rows, epoch))

    def transform(self, batch: Batch, targets: Targets, epoch: int) -> tuple[Tensor, Targets]:
        """Vectors (N, D), and the targets."""
        return self._moved(batch.images), targets

    @torch.inference_mode()
    def outputs(self, learner: nn.Module, parts: Sequence[Rows]) -> Iterator[tuple[Tensor, Batch]]:
        """By what was kept of the images."""
        part: Learner = learner  # type: ignore[assignment]  # as the method `learner` gives it
        ready = rest_runner(part.rest, self._run.machine, part.heads)
        for rows in parts:
            if self._val is None:
                return
            boxes = None if self._boxes.val is None else torch.from_numpy(self._boxes.val[self._place[rows]])
            batch = Batch(packed(self._val, self._place[rows]), rows, boxes=boxes)
            yield ready(*part.values(self._moved(batch.images))).float().cpu(), batch

    def advice(self, wait_share: float) -> str | None:
        """None: reading is all that there is to wait for."""
        return None

    def _shown(self, rows: Rows, epoch: int) -> Tensor:
        """(N, D): of each row the view whose turn it is."""
        turn = self._turn(rows, epoch)
        values: Tensor | None = None
        for number in np.unique(turn).tolist():
            which = np.flatnonzero(turn == number)
            some = packed(self._train[number], self._place[rows[which]])
            values = some.new_empty(len(rows), some.shape[1]) if values is None else values
            values[torch.from_numpy(which)] = some
        if values is None:
            raise ValueError("`rows`: expected at least one; got none.")
        return values

    def _boxes_shown(self, rows: Rows, epoch: int) -> Tensor | None:
        """(N, 4): the box of each row in the view whose turn it is; None where the task asks for none."""
        turn, places = self._turn(rows, epoch), self._place[rows]
        shown = [self._boxes.train[view] for view in turn.tolist()]
        chosen = [boxes[place] for boxes, place in zip(shown, places.tolist(), strict=True) if boxes is not None]
        return torch.from_numpy(np.stack(chosen)) if chosen else None

    def _turn(self, rows: Rows, epoch: int) -> NDArray[np.int64]:
        """(N,) the number of the view that an epoch shows of each row."""
        return np.asarray((rows + epoch) % len(self._train), np.int64)

    def _moved(self, packed: Tensor) -> Tensor:
        """On the device, in the precision that arithmetic gives there."""
        dtype = torch.bfloat16 if self._run.machine.precision == "bfloat16" else torch.float32
        return packed.to(self._run.machine.device, dtype)


def packed(features: Features, which: NDArray[np.int64]) -> Tensor:
    """(N, D): the values of some rows, flat and side by side."""
    return torch.cat([value.flatten(1) for value in features.values(which)], dim=1)


class Learner(nn.Module):
    """The part of a net that is not frozen: vectors (N, D), as `CachedFeatures` has them -> logits (N, classes)."""

    def __init__(self, parts: Cut, machine: Machine, heads: Sequence[str] = ()) -> None:
        super().__init__()
        self.rest = parts.rest
        self.heads = tuple(heads)
        self._shapes = parts.shapes
        self._machine = machine

    def forward(self, packed: Tensor) -> Tensor:
        """The logits of what `values` takes apart."""
        logits: Tensor = self.rest(*self.values(packed))
        return logits

    def values(self, packed: Tensor) -> list[Tensor]:
        """The values (N, …) that cross, in the machine's memory format."""
        each = packed.split([math.prod(shape) for shape in self._shapes], dim=1)
        values = [value.unflatten(1, shape) for value, shape in zip(each, self._shapes, strict=True)]
        return [self._machine.images(value) if value.ndim == 4 else value for value in values]
