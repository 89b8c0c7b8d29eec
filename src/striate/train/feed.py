"""What a network learns from and is scored on: pictures, unless a part of it is frozen and was run beforehand."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from striate.augment.erase import erase_
from striate.augment.mix import draw_mix
from striate.augment.noise import add_noise_
from striate.data import Batch, Batches, Images, IndexedImages, Loader, Rows, advice, training_view
from striate.data.pixel_cache import CachedImages, open_images
from striate.model import predict_batch
from striate.tasks import Targets
from striate.train.state import Run


class Feed(Protocol):
    """The inputs of a run."""

    def learner(self, net: nn.Module) -> nn.Module:
        """What takes these inputs to logits: a net, or the part of it that is not frozen, which shares its layers."""
        ...

    def blank(self, count: int) -> Tensor:
        """So many inputs (N, …) of zeros, where the network runs."""
        ...

    def batches(self, order: Batches, epoch: int, start: int) -> Iterable[Batch]:
        """The batches of an epoch from a step on, a pure function of the arguments."""
        ...

    def inputs(self, batch: Batch, targets: Targets, epoch: int) -> tuple[Tensor, Targets]:
        """What the learner is shown of a batch (N, …), where it runs, and what it shall answer, on the CPU."""
        ...

    def answers(self, learner: nn.Module, parts: Sequence[Rows]) -> Iterator[tuple[Tensor, Targets]]:
        """Outputs (N, …), float32, of the pictures of each part as evaluation sees them, and their targets."""
        ...

    def advice(self, wait_share: float) -> str | None:
        """What would feed a learner that waits for its inputs; None where it hardly waits."""
        ...


class PictureFeed:
    """Pictures: drawn and augmented anew in every epoch.

    Args:
        run: whose they are.
        pictures: of the rows in train, as training sees them; the others are read from their files.
    """

    def __init__(self, run: Run, pictures: Images) -> None:
        self._run = run
        self._pictures = pictures
        self._held_out = IndexedImages(run.index, run.recipe.data.max_pixels)

    @staticmethod
    def open(run: Run) -> "PictureFeed":
        """With the pictures of train from the pixel cache, where that is worth it."""
        rows, preprocessing = run.index.rows("train"), run.preprocessing
        with run.reporter.progress("pixel cache", len(rows), "pictures") as advance:
            pictures = run.processes.one_a_host_first(
                lambda: open_images(
                    run.index,
                    rows,
                    run.recipe.data,
                    img_size=preprocessing.size[0],
                    channels=preprocessing.channels,
                    epochs=run.recipe.training.epochs,
                    workers=run.workers,
                    say=run.reporter.say,
                    advance=lambda count: advance(count, ""),
                )
            )
        return PictureFeed(run, pictures)

    def learner(self, net: nn.Module) -> nn.Module:
        """All of the net."""
        return net

    def blank(self, count: int) -> Tensor:
        """Black pictures (N, C, H, W)."""
        return self._run.machine.images(torch.zeros(count, *self._run.preprocessing.input_size))

    def batches(self, order: Batches, epoch: int, start: int) -> Iterable[Batch]:
        """Pictures as they are decoded."""
        run = self._run
        view = training_view(run.recipe.augment, run.preprocessing, run.recipe.training.seed, epoch)
        pinned = run.machine.device.type == "cuda"
        return Loader(
            self._pictures,
            order,
            run.preprocessing,
            view,
            workers=run.workers,
            start=start,
            pinned=pinned,
            **run.task.annotations(run.index),
        )

    def inputs(self, batch: Batch, targets: Targets, epoch: int) -> tuple[Tensor, Targets]:
        """Images (N, C, H, W), normalised, with all that is done to a whole batch where it is."""
        run, rows, seed = self._run, batch.rows.tolist(), self._run.recipe.training.seed
        images = batch.images.to(run.machine.device, non_blocking=True)
        images = run.preprocessing.normalise(images, batch.colour)
        images = add_noise_(images, run.augment, run.preprocessing.std, rows, seed, epoch)
        images = erase_(images, run.augment, rows, seed, epoch)
        mix = draw_mix(run.augment, rows, run.preprocessing.size, seed, epoch)
        if mix is None:
            return run.machine.images(images), targets
        return run.machine.images(mix.apply(images)), run.task.mix(targets, mix)

    def answers(self, learner: nn.Module, parts: Sequence[Rows]) -> Iterator[tuple[Tensor, Targets]]:
        """Read from the pictures' files."""
        run = self._run
        annotations = run.task.annotations(run.index)
        for batch in Loader(self._held_out, parts, run.preprocessing, workers=run.workers, **annotations):
            outputs = predict_batch(learner, batch.images, run.preprocessing, run.machine)
            yield outputs, run.task.targets(run.index, batch)

    def advice(self, wait_share: float) -> str | None:
        """As a pass of training was."""
        run = self._run
        cached = isinstance(self._pictures, CachedImages)
        return advice(wait_share, workers=run.workers, cores=run.processes.cores, cached=cached)
