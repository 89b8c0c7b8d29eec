"""Logits from directions: the cosine between a vector and that of each class."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Cosine(nn.Module):
    """The cosines between a standardised vector and one for each class, times a scale that is learnt.

    The mean and the deviation that standardise vectors are buffers: they are not learnt, and 0 and 1 unless set.

    Source: Gidaris and Komodakis 2018, arXiv:1804.09458, sec. 3.2.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.register_buffer("mean", torch.zeros(in_features))
        self.register_buffer("std", torch.ones(in_features))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)  # as a linear layer

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features) to (N, out_features)."""
        standard = (x - self.mean) / self.std  # type: ignore[operator]
        cosines = nn.functional.linear(normalize(standard), normalize(self.weight))
        return self.scale * cosines
