"""Heads that are trained step by step: a perceptron of one hidden layer, and the cosine head."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

from striate.features.heads_problem import Problem
from striate.layers.cosine import Cosine

HIDDEN = 128  # units of the small perceptron
STEPS = 150  # of AdamW, at least
BATCH_SIZE = 4096  # vectors a step; all of them where there are fewer
EPOCHS = 5  # at least
LR = 3e-3


@dataclass(frozen=True)
class TrainedHeads:
    """Heads of which each is a module."""

    modules: tuple[nn.Module, ...]

    def logits(self, vectors: Tensor) -> Tensor:
        """(n, heads, classes) of vectors (n, K + 1), without gradients."""
        with torch.inference_mode():
            return torch.stack([module(vectors[:, :-1]) for module in self.modules], dim=1)

    def merged(self) -> None:
        """Nothing: a mean of such weights is no good head."""


def cosine(problem: Problem, strength: float, start: object, tolerance: float) -> TrainedHeads:
    """Cosine heads, from the classes' mean directions, by AdamW; start and tolerance play no part."""
    return TrainedHeads(tuple(_trained(_by_direction(problem, n), problem, n, strength) for n in range(problem.heads)))


def _by_direction(problem: Problem, number: int) -> Cosine:
    """A cosine head of the mean direction of each class."""
    vectors = problem.vectors[:, :-1]
    head = Cosine(vectors.shape[1], problem.classes)
    sums = torch.zeros_like(head.weight)
    for part in problem.parts():
        directions = normalize(vectors[part]) * problem.weights[part, number : number + 1]
        if problem.many_hot:
            sums.addmm_(problem.labels[part].float().T, directions)
        else:
            sums.index_add_(0, problem.labels[part], directions)
    with torch.no_grad():
        head.weight.copy_(normalize(sums))
    return head


def mlp(problem: Problem, strength: float, start: object, tolerance: float, hidden: int = HIDDEN) -> TrainedHeads:
    """Perceptrons of one hidden layer, by AdamW; start and tolerance play no part."""
    features, modules = problem.vectors.shape[1] - 1, []
    for number in range(problem.heads):
        with torch.random.fork_rng():
            torch.manual_seed(0)  # the same initial values for each strength and head
            head = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, problem.classes))
        modules.append(_trained(head, problem, number, strength))
    return TrainedHeads(tuple(modules))


def _trained(head: nn.Module, problem: Problem, number: int, strength: float) -> nn.Module:
    """A head that has learnt from all vectors that have a weight in its loss."""
    optimizer = torch.optim.AdamW(head.parameters(), lr=LR, weight_decay=strength)
    own = problem.weights[:, number].nonzero()[:, 0]
    steps = max(STEPS, EPOCHS * (len(own) // BATCH_SIZE))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _, rows in zip(range(steps), _batches(own), strict=False):
        optimizer.zero_grad()
        _loss(problem, number, rows, head(problem.vectors[rows, :-1])).backward()
        optimizer.step()
        schedule.step()
    return head.requires_grad_(False)


def _batches(rows: Tensor) -> Iterator[Tensor]:
    """Without end: all rows, or parts of them in a random order, which is always the same."""
    rng = torch.Generator().manual_seed(0)
    while True:
        if len(rows) <= BATCH_SIZE:
            yield rows
        else:
            yield from rows[torch.randperm(len(rows), generator=rng)].split(BATCH_SIZE)


def _loss(problem: Problem, number: int, rows: Tensor, logits: Tensor) -> Tensor:
    """Mean cross-entropy of some vectors by a head's weights."""
    weights, labels = problem.weights[rows, number], problem.labels[rows]
    if not problem.many_hot:
        return (cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()
    answers = torch.ones_like(logits) if problem.positive is None else torch.where(labels, problem.positive, 1.0)
    each = binary_cross_entropy_with_logits(logits, labels.float(), answers, reduction="none")
    return (each.sum(dim=1) * weights).sum() / (answers.mean(dim=1) * weights).sum()
