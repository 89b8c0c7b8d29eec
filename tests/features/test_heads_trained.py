"""Trained heads: parts of the vectors where there are many, and nothing of what is held out."""

import pytest
import torch
from torch import Tensor

from striate.features import heads_trained
from striate.features.heads_problem import Problem
from striate.features.heads_trained import cosine, mlp


def blobs(n: int = 300) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 3
    centres = 4 * torch.nn.functional.normalize(torch.randn(3, 10, generator=rng))
    return torch.cat([centres[labels] + torch.randn(n, 10, generator=rng), torch.ones(n, 1)], dim=1), labels


@pytest.mark.parametrize("solve", [cosine, mlp])
@pytest.mark.parametrize("batch_size", [32, 4096])
def test_heads_learn_from_all_vectors_that_they_do_not_leave_out(
    monkeypatch: pytest.MonkeyPatch, solve: object, batch_size: int
) -> None:
    monkeypatch.setattr(heads_trained, "BATCH_SIZE", batch_size)
    vectors, labels = blobs()
    wrong = labels.clone()
    wrong[:100] = 0
    weights = torch.ones(300, 2)
    weights[:100, 1] = 0
    heads = solve(Problem(vectors, wrong, weights, 3), 0.1, None, 0.0)  # type: ignore[operator]
    answers = heads.logits(vectors).argmax(dim=2)  # (n, heads)
    right = (answers == labels[:, None]).float().mean(dim=0)
    assert right[1] > 0.9
    assert right[1] > right[0]


def test_many_vectors_take_more_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads_trained, "BATCH_SIZE", 4)
    monkeypatch.setattr(heads_trained, "STEPS", 10)
    steps = 0
    step = torch.optim.AdamW.step

    def counted(self: torch.optim.AdamW, *args: object) -> object:
        nonlocal steps
        steps += 1
        return step(self, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    vectors, labels = blobs(60)
    mlp(Problem(vectors, labels, torch.ones(60, 1), 3), 0.1, None, 0.0, hidden=4)
    assert steps == 60 // 4 * heads_trained.EPOCHS
