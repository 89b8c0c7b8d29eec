"""The temperature: what to divide logits by so that probabilities are right as often as they say."""

import math

from torch import Tensor

SMALLEST, LARGEST = math.exp(-5.0), math.exp(5.0)  # of an inverse temperature
STEPS = 50
TOLERANCE = 1e-7  # of the inverse temperature
PART_VALUES = 2**20  # logits that are worked on at a time


def fit_temperature(logits: Tensor, labels: Tensor, smoothing: float | None = None) -> float:
    """The temperature by which to divide logits so that their cross-entropy is least.

    Where all answers are right, that of these images alone would tend to 0, and a mistake on the next one would cost
    any loss. So half an image more is taken to be wrong, as with Jeffreys' prior for a share.

    The cross-entropy is a convex function of the inverse of the temperature: Newton's method, kept between bounds,
    finds its minimum in a few passes over the logits.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, sec. 4.2.

    Args:
        logits: (N, classes), of images that were not learnt from.
        labels: (N,) class numbers, or (N, classes) of 0 and 1.
        smoothing: share of each target that is spread evenly over its answers, instead of what half an image makes.
    """
    several = labels.ndim == 2
    images, classes = logits.shape
    answers = 2 if several else classes
    if smoothing is None:
        smoothing = 0.5 / (images + 1) * answers / max(answers - 1, 1)
    low, high, inverse = SMALLEST, LARGEST, 1.0
    for _ in range(STEPS):
        slope, curvature = _derivatives(logits, labels, inverse, smoothing / answers, smoothing)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else high
        moved = step if low < step < high else math.sqrt(low * high)
        if abs(moved - inverse) <= TOLERANCE * inverse:
            break
        inverse = moved
    return 1 / inverse


def _derivatives(
    logits: Tensor, labels: Tensor, inverse: float, spread: float, smoothing: float
) -> tuple[float, float]:
    """First and second derivative of the summed cross-entropy by the inverse temperature."""
    slope = curvature = 0.0
    rows = max(1, PART_VALUES // logits.shape[1])
    for some, truth in zip(logits.split(rows), labels.split(rows), strict=True):
        values = some.double()
        if truth.ndim == 2:
            share = (inverse * values).sigmoid()
            expected = truth.double() * (1 - smoothing) + spread
            slope += float(((share - expected) * values).sum())
            curvature += float((share * (1 - share) * values.square()).sum())
            continue
        share = (inverse * values).softmax(dim=1)
        mean = (share * values).sum(dim=1)
        own = values.gather(1, truth[:, None]).sum() * (1 - smoothing) + values.sum() * spread
        slope += float(mean.sum() - own)
        curvature += float(((share * values.square()).sum(dim=1) - mean.square()).sum())
    return slope, curvature
