"""Labels that may be wrong: images that a head, which never saw them, confidently takes for another class.

Source: Northcutt, Jiang, Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR 70
(arXiv:1911.00068): the off-diagonal entries of the confident joint (sec. 3.1), ranked by normalised margin (sec. 3.2).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong."""

    place: int
    """The place of the image among those that were looked at."""

    given: int
    """Its class, by its label."""

    suggested: int
    """The class that the head takes it for."""

    probability: float
    """The probability of the suggested class."""

    margin: float
    """Probability of the given class less that of the likeliest other one; from -1, the most suspect, to 1."""


def suspects(probabilities: Tensor, labels: Tensor) -> list[Suspect]:
    """Images that are confidently of another class than their label says, the most suspect first.

    An image is confidently of a class where its probability is at least what images with that label have on
    average: what a head is unsure of in general, it is not sure of in one image.

    Args:
        probabilities: (N, classes), of heads that did not learn from the image.
        labels: (N,) class numbers.
    """
    classes = probabilities.shape[1]
    confident = probabilities >= thresholds(probabilities, labels)  # (N, classes)
    taken_for = torch.where(confident, probabilities, -1.0).argmax(dim=1)
    suspect = confident.any(dim=1) & (taken_for != labels)
    own = torch.nn.functional.one_hot(labels, classes).bool()
    margins = probabilities[own] - torch.where(own, -1.0, probabilities).amax(dim=1)  # (N,)
    found = [
        Suspect(
            place,
            int(labels[place]),
            int(taken_for[place]),
            float(probabilities[place, taken_for[place]]),
            float(margins[place]),
        )
        for place in suspect.nonzero().flatten().tolist()
    ]
    return sorted(found, key=lambda each: each.margin)


def thresholds(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(classes,) mean probability of each class over the images with that label; infinite where there are none."""
    classes = probabilities.shape[1]
    counts = labels.bincount(minlength=classes)
    total = torch.zeros(classes, dtype=probabilities.dtype)
    total.index_add_(0, labels, probabilities.gather(1, labels[:, None]).flatten())
    return torch.where(counts > 0, total / counts, torch.inf)
