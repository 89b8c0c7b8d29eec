"""How deep the pixels of a data set are: what is black and what white in it, and how many bands its images have."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.data.check.scan import Records
from striate.data.index import Index
from striate.data.raw_pixels import WHITE_OF_16_BITS, Levels, levels_of

NAMES = {
    "u2": "16-bit integers",
    "u4": "32-bit integers",
    "i2": "16-bit integers with sign",
    "i4": "32-bit integers with sign",
    "f2": "16-bit floats",
    "f4": "32-bit floats",
    "f8": "64-bit floats",
}


@dataclass(frozen=True)
class Depth:
    """Of the images that have more than 8 bits."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    """Images of each kind of number, as NumPy writes it."""

    extent: Levels = (0.0, 0.0)
    """The least and the largest value of all."""

    @property
    def levels(self) -> Levels | None:
        """What is black and what is white; None for 16 bits, all of them used, and where no image is deep."""
        return levels_of(set(self.kinds), *self.extent) if self.kinds else None

    def sentence(self, given: Levels | None = None) -> str:
        """What the values are taken for; "" where no image is deep. `given` levels replace those of the data."""
        if not self.kinds:
            return ""
        kinds = " and ".join(f"{NAMES.get(kind, kind)} ({count:,} images)" for kind, count in self.kinds.items())
        low, high = given or self.levels or (0.0, WHITE_OF_16_BITS)
        why = "as asked" if given else "--pixel-range overrules"
        extent = " to ".join(f"{value:,.6g}" for value in self.extent)
        return f"pixels: {kinds} from {extent}; {low:,.6g} becomes black and {high:,.6g} white ({why})"


def depth_of(records: Records) -> Depth:
    """Of the images that were scanned."""
    deep = records[(records["count"] > 0) & ~np.isin(records["kind"], (b"", b"u1", b"b1"))]
    if not len(deep):
        return Depth()
    kinds = Counter(kind.decode() for kind in deep["kind"].tolist())
    return Depth(dict(kinds), (float(deep["extent"][:, 0].min()), float(deep["extent"][:, 1].max())))


def bands_of(records: Records) -> NDArray[np.int16]:
    """(N,) how many bands each image has, transparency counted; 0 for one that was not read."""
    count = records["bands"].copy()
    by_mode = (records["count"] > 0) & (count == 0)
    for mode in np.unique(records["mode"][by_mode]).tolist():
        count[by_mode & (records["mode"] == mode)] = Image.getmodebands(mode.decode())
    return count


def of_bands(index: Index, counts: NDArray[np.int16], wanted: int) -> Index:
    """The index with a reason at each row whose image has not the wanted number of bands."""
    reasons: list[str | None] = index.table["reason"].to_pylist()
    for row in np.flatnonzero(index.usable() & (counts > 0) & (counts != wanted)).tolist():
        reasons[row] = f"it has {counts[row]} band{'s' if counts[row] > 1 else ''}, not {wanted}"
    return index.with_column("reason", reasons)
