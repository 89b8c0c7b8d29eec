"""The temperature: what to divide logits by so that probabilities are right as often as they say."""

import math

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot


def fit_temperature(logits: Tensor, labels: Tensor, smoothing: float | None = None) -> float:
    """The temperature by which to divide logits so that their cross-entropy is least.

    Where all are right, that of these images alone would be as near to nothing as it is looked for, and a mistake on
    the next one would cost any loss. So half an image more is taken to be wrong, as with Jeffreys' prior for a share.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, sec. 4.2.

    Args:
        logits: (N, classes), of images that were not learnt from.
        labels: (N,) class numbers, or (N, classes) of 0 and 1.
        smoothing: share of each target that is spread evenly over its answers, instead of what half an image makes.
    """
    from scipy.optimize import minimize_scalar  # here, because it takes a second, and who predicts needs none

    logits, several = logits.double(), labels.ndim == 2
    count, classes = logits.shape
    answers = 2 if several else classes
    loss = binary_cross_entropy_with_logits if several else cross_entropy
    truth = labels.double() if several else one_hot(labels, classes).double()
    if smoothing is None:
        smoothing = 0.5 / (count + 1) * answers / max(answers - 1, 1)
    truth = truth * (1 - smoothing) + smoothing / answers

    def lost(log_temperature: float) -> float:
        return float(loss(logits / math.exp(log_temperature), truth))

    return math.exp(minimize_scalar(lost, bounds=(-5.0, 5.0), method="bounded").x)
