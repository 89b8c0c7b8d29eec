"""Logits by direction: how alike a vector and that of each class point."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Cosine(nn.Module):
    """Cosines between a standardised vector and one of each class, times a scale that is learnt.

    Mean and deviation, by which vectors are standardised, are kept and not learnt: 0 and 1 unless set.

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
