"""Random draws as a pure function of (seed, epoch, sample number).

Philox is a counter-based generator: its state is a key and a counter, so that the draws of any sample of any epoch
are found without drawing those before. The number of workers and the step of a resume therefore cannot change them.
Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a draw is for; draws of different streams are independent."""

    SPLIT = 0
    ORDER = 1
    AUGMENT = 2
    STEP = 3
    COLOUR = 4
    ERASE = 5
    MIX = 6
    NOISE = 7
    TRIVIAL = 8


def generator(seed: int, stream: Stream, epoch: int = 0, sample: int = 0) -> np.random.Generator:
    """The generator of one sample in one epoch.

    Args:
        seed: from 0, below 2^63.
        stream: what the draws are for.
        epoch: from 0.
        sample: the row number of the image in its index, whatever its place in the epoch.

    >>> a, b = (generator(7, Stream.AUGMENT, epoch=3, sample=12) for _ in range(2))
    >>> a.random() == b.random()
    True
    """
    counter = (0, sample, epoch, stream)  # the lowest 64 bits count the draws of this generator
    return np.random.Generator(np.random.Philox(key=(seed, 0), counter=counter))
