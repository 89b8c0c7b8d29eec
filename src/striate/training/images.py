"""Images as the inputs of a run: drawn and augmented anew in every epoch."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from striate.augment.erase import erase_
from striate.augment.mix import draw_mix
from striate.augment.noise import add_noise_
from striate.data import Batch, Batches, Images, IndexedImages, Loader, Rows, advice, training_view
from striate.data.pixel_cache import CachedImages, open_images
from striate.graph.runtime import net_runner
from striate.model import predict_batch
from striate.nets import heads_of
from striate.tasks import Targets
from striate.training.run import Run


def images(run: Run) -> "ImageInputs":
    """The images of a run, those of train from the pixel cache where that is worth it."""
    rows, preprocessing = run.index.rows("train"), run.preprocessing
    with run.reporter.progress("pixel cache", len(rows), "images") as advance:
        train = run.processes.one_a_host_first(
            lambda: open_images(
                run.index,
                rows,
                run.recipe.data,
                img_size=max(preprocessing.size),
                channels=preprocessing.channels,
                levels=preprocessing.pixel_range,
                epochs=run.recipe.training.epochs,
                workers=run.workers,
                say=run.reporter.info,
                advance=lambda count: advance(count, ""),
            )
        )
    return ImageInputs(run, train)


class ImageInputs:
    """`Inputs` that are images.

    Args:
        run: that the images belong to.
        train: the images of the rows in train, as training sees them; the others are read from their files.
    """

    def __init__(self, run: Run, train: Images) -> None:
        self._run = run
        self._train = train
        self._held_out = IndexedImages(run.index, run.recipe.data.max_pixels)

    def learner(self, net: nn.Module) -> nn.Module:
        """All of the net."""
        return net

    def blank(self, count: int) -> Tensor:
        """Black images (N, C, H, W)."""
        return self._run.machine.images(torch.zeros(count, *self._run.preprocessing.input_size))

    def batches(self, order: Batches, epoch: int, start: int) -> Iterable[Batch]:
        """Images as they are decoded."""
        run = self._run
        view = training_view(run.recipe.augment, run.preprocessing, run.recipe.training.seed, epoch)
        pinned = run.machine.device.type == "cuda"
        annotations = run.task.annotations(run.index)
        return Loader(
            self._train, order, run.preprocessing, view, workers=run.workers, start=start, pinned=pinned, **annotations
        )

    def transform(self, batch: Batch, targets: Targets, epoch: int) -> tuple[Tensor, Targets]:
        """Images (N, C, H, W), normalised, with all that is done to a whole batch, and their targets."""
        run, rows, seed = self._run, batch.rows.tolist(), self._run.recipe.training.seed
        pixels = batch.images.to(run.machine.device, non_blocking=True)
        pixels = run.preprocessing.normalise(pixels, batch.colour)
        pixels = add_noise_(pixels, run.augment, run.preprocessing.std, rows, seed, epoch)
        pixels = erase_(pixels, run.augment, rows, seed, epoch)
        mix = draw_mix(run.augment, rows, run.preprocessing.size, seed, epoch)
        if mix is None:
            return run.machine.images(pixels), targets
        return run.machine.images(mix.apply(pixels)), run.task.mix(targets, mix)

    def outputs(self, learner: nn.Module, parts: Sequence[Rows]) -> Iterator[tuple[Tensor, Batch]]:
        """Those of what evaluation sees of each image, read from its file."""
        run = self._run
        annotations = run.task.annotations(run.index)
        ready = net_runner(learner, run.preprocessing.input_size, run.machine, heads_of(learner))
        for batch in Loader(self._held_out, parts, run.preprocessing, workers=run.workers, **annotations):
            outputs = predict_batch(ready, batch.images, run.preprocessing, run.machine)
            yield outputs, batch

    def advice(self, wait_share: float) -> str | None:
        """What a pass of training showed."""
        run = self._run
        cached = isinstance(self._train, CachedImages)
        return advice(wait_share, workers=run.workers, cores=run.processes.cores, cached=cached)
