"""The mean of several answers to one image: of their probabilities, not of what these were computed from."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def mean_of_shares(logits: Sequence[Tensor]) -> Tensor:
    """Log-probabilities (N, classes, …), of which the softmax is the mean of the softmax of each of several logits."""
    logs = torch.stack([each.log_softmax(dim=1) for each in logits])
    return logs.logsumexp(dim=0) - math.log(len(logits))


def mean_of_chances(logits: Sequence[Tensor]) -> Tensor:
    """Logits (N, classes), of which the sigmoid is the mean of the sigmoid of each of several logits."""
    values = torch.stack(list(logits))
    return logsigmoid(values).logsumexp(dim=0) - logsigmoid(-values).logsumexp(dim=0)
