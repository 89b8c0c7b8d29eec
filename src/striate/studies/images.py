"""The images of the studies, in memory: small enough that a network learns from them in seconds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from striate.data import Index, IndexedImages, Preprocessing, Rows, read
from striate.data.decode import common_levels
from striate.errors import UsageError

DIGITS_TEST = 597  # of the 1,797 digits
BRIGHTEST = 16.0  # of scikit-learn's digits


@dataclass(frozen=True, eq=False)
class Images:
    """Training and test images with their labels; values have mean 0 and standard deviation 1 over training images."""

    train: Tensor
    """(N, C, H, W), float32."""

    train_labels: Tensor
    """(N,), int64."""

    test: Tensor
    test_labels: Tensor
    mean: float
    """Of the values 0 to 1 from which they were standardised."""

    std: float

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.train_labels.max()) + 1

    def draw(self, count: int, seed: int) -> "Images":
        """With `count` of the training images, drawn by the seed."""
        chosen = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(seed))[:count]
        return replace(self, train=self.train[chosen], train_labels=self.train_labels[chosen])

    def changed(self, change: Callable[[Tensor], Tensor]) -> "Images":
        """With every image changed, in training and test."""
        return replace(self, train=change(self.train), test=change(self.test))


@dataclass(frozen=True)
class Source:
    """Where a study's images come from."""

    name: str = ""
    """Of the data set's folder; "" for scikit-learn's digits, 8x8 pixels, which come with it."""

    meaning: str = "scikit-learn's digits"
    size: int = 8
    channels: int = 1
    train: int = 1200
    test: int = 597

    def load(self, data: Path | None) -> Images:
        """Reads the images.

        Args:
            data: a folder that holds a folder of this source's name, or the data set itself.

        Raises:
            UsageError: if it is needed and not given.
            DataError: if it cannot be read.
        """
        if not self.name:
            return digits()
        if data is None:
            raise UsageError(
                f"`--data`: expected {self.meaning}, for this study; got none. "
                f"Try --data FOLDER, a data set as for `striate train`, or a folder with one named {self.name}."
            )
        return _read(data / self.name if (data / self.name).exists() else data, self)


DIGITS = Source()
PHOTOS = Source("cifar10-jpeg", "small colour photos such as CIFAR-10", size=16, channels=3, train=4000, test=1000)


def standardised(train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor) -> Images:
    """Images from values 0 to 1."""
    mean, std = float(train.mean()), float(train.std())
    return Images((train - mean) / std, train_labels, (test - mean) / std, test_labels, mean, std)


def digits() -> Images:
    """1,200 and 597 of the 1,797 scans of 8x8 pixels that come with scikit-learn, parted at random, always alike.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits

    loaded = load_digits()
    order = np.random.default_rng(0).permutation(len(loaded.target))
    values = torch.from_numpy(loaded.images[order] / BRIGHTEST).float()[:, None]
    labels = torch.from_numpy(loaded.target[order]).long()
    return standardised(values[DIGITS_TEST:], labels[DIGITS_TEST:], values[:DIGITS_TEST], labels[:DIGITS_TEST])


def _read(path: Path, source: Source) -> Images:
    """Images of the splits train and test, or val where there is no test."""
    index = read(path)
    rng = np.random.default_rng(0)
    rows = []
    for names, count in ((("train",), source.train), (("test", "val"), source.test)):
        there = next((found for name in names if len(found := index.rows(name))), None)
        if there is None:
            expected = f"images of the splits train and test, or val, in {path}"
            raise UsageError(f"`--data`: expected {expected}; got none of {' or '.join(names)}.")
        rows.append(np.sort(rng.permutation(there)[:count]))
    pixels = _pixels(index, np.concatenate(rows), source).split([len(part) for part in rows])
    labels = [torch.from_numpy(np.asarray(index.labels(part), np.int64)) for part in rows]
    return standardised(pixels[0], labels[0], pixels[1], labels[1])


def _pixels(index: Index, rows: Rows, source: Source) -> Tensor:
    """(N, C, H, W), values 0 to 1; of images of more than 8 bits by what is black and white in all of them."""
    size = (source.channels, source.size, source.size)
    images = IndexedImages(index)
    levels = common_levels(images.open(int(row)) for row in rows)
    preprocessing = Preprocessing(
        size, (0.0,) * source.channels, (1.0,) * source.channels, crop_pct=1.0, pixel_range=levels
    )
    pixels = np.stack([preprocessing.read(images.open(int(row))) for row in rows])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
