"""How fast pictures reach a network here."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

from striate.augment.presets import written_out
from striate.bench.timing import Rate, Work, rates
from striate.data import MEAN_STD, Index, IndexedPictures, Loader, Preprocessing, batches, read, training_view
from striate.device import cores
from striate.errors import DataError
from striate.recipe import AugmentRecipe

SIZES = {"640x480": ((640, 480), 96), "12 megapixels": ((4000, 3000), 12)}  # and how many
BATCH = 32
MOST = 512  # of a user's pictures
NOISE = 4.0  # as a sensor's, of 255: smooth pictures would be too easy to decode


def loading(data: Path | None, img_size: int, rounds: int, least_s: float) -> dict[str, dict[int, Rate]]:
    """Pictures a second, decoded and augmented as by default, by kind of picture and by number of workers.

    Args:
        data: pictures to read; made from two photos that scikit-learn brings unless given.
        img_size: height and width that a network sees.
        rounds: see `rates`.
        least_s: see `rates`.

    Raises:
        DataError: `data` holds no usable picture.
    """
    found = {}
    with _made() if data is None else nullcontext({str(data): data}) as sources:
        for name, source in sources.items():
            index = read(source)
            if not index.usable().any():
                raise DataError(f"{source}: expected at least one usable picture; got none.")
            counts = range(1, cores() + 1)
            works = {str(workers): _loader(index, img_size, workers) for workers in counts}
            found[name] = {int(workers): rate for workers, rate in rates(works, rounds, least_s).items()}
    return found


def _loader(index: Index, img_size: int, workers: int) -> Work:
    rows = np.flatnonzero(index.usable())[:MOST]
    preprocessing = Preprocessing((3, img_size, img_size), *MEAN_STD[3])
    view = training_view(written_out(AugmentRecipe()), preprocessing, seed=0, epoch=0)
    loader = Loader(IndexedPictures(index), batches(rows, BATCH), preprocessing, view, workers=workers)
    return lambda: sum(len(batch.rows) for batch in loader)


@contextmanager
def _made() -> Iterator[dict[str, Path]]:
    """Folders of JPEG files, by the size of the pictures, for the time of a context."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as top:
        for name, (size, count) in SIZES.items():
            folder = Path(top) / name / "photos"
            folder.mkdir(parents=True)
            for photo in photos:
                large = np.asarray(photo.resize(size, Image.Resampling.BICUBIC), np.float32)
                noisy = (large + rng.normal(0, NOISE, large.shape)).clip(0, 255).astype(np.uint8)
                for number in range(count // len(photos)):
                    path = folder / f"{photos.index(photo)}-{number}.jpg"
                    Image.fromarray(noisy).save(path, quality=90)
        yield {name: Path(top) / name for name in SIZES}
