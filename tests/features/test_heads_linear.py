"""Linear heads: the solutions that scikit-learn finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn

from striate.features.heads_linear import LinearHeads, _length, ridge, softmax
from striate.features.heads_problem import Problem, Slopes


def blobs(n: int = 60, features: int = 20, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Standardised vectors (n, features + 1), the last of them 1, around a centre a class, and their class."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    centres = 1.5 * torch.nn.functional.normalize(torch.randn(classes, features, generator=rng))
    vectors = centres[labels] + torch.randn(n, features, generator=rng)
    vectors = (vectors - vectors.mean(dim=0)) / vectors.std(dim=0)
    return torch.cat([vectors, torch.ones(n, 1)], dim=1), labels


@pytest.mark.parametrize("strength", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("classes", [2, 3])
def test_softmax_is_the_solution_that_scikit_learn_finds(strength: float, classes: int) -> None:
    vectors, labels = blobs(classes=classes)
    [weight] = softmax(Problem(vectors, labels, torch.ones(60, 1), classes), strength, None, 1e-9).weight
    scale = 60 * strength * (2 if classes == 2 else 1)  # of two classes it has the difference of the weights alone
    other = LogisticRegression(C=1 / scale * (4 if classes == 2 else 1), tol=1e-8, max_iter=1000)
    other.fit(vectors[:, :-1].numpy(), labels.numpy())
    found = weight[1:] - weight[:1] if classes == 2 else weight
    np.testing.assert_allclose(found[:, :-1].numpy(), other.coef_, atol=2e-3)


def test_softmax_of_several_labels_is_one_logistic_regression_a_class() -> None:
    vectors, labels = blobs()
    truth = torch.stack([labels == 0, labels < 2, labels != 1], dim=1)
    [weight] = softmax(Problem(vectors, truth, torch.ones(60, 1), 3), 0.1, None, 1e-9).weight
    for number in range(3):
        other = LogisticRegression(C=1 / 6, tol=1e-8, max_iter=1000)
        other.fit(vectors[:, :-1].numpy(), truth[:, number].numpy())
        np.testing.assert_allclose(weight[number, :-1].numpy(), other.coef_[0], atol=2e-3)


def test_heads_side_by_side_are_those_fitted_alone() -> None:
    vectors, labels = blobs()
    weights = torch.ones(60, 3)
    weights[::2, 1] = 0
    weights[40:, 2] = 0
    together = softmax(Problem(vectors, labels, weights, 3), 0.1, None, 1e-9)
    for number in range(3):
        rows = weights[:, number] > 0
        alone = softmax(Problem(vectors[rows], labels[rows], torch.ones(int(rows.sum()), 1), 3), 0.1, None, 1e-9)
        torch.testing.assert_close(together.weight[number], alone.weight[0], rtol=0, atol=2e-3)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Grows by one with each pass over a problem: the weight that it was made with."""
    made: list[Tensor] = []
    slopes = Problem.slopes

    def counted(self: Problem, weight: Tensor) -> Slopes:
        made.append(weight)
        return slopes(self, weight)

    monkeypatch.setattr(Problem, "slopes", counted)
    return made


def test_a_start_nearby_needs_fewer_passes(passes: list[Tensor]) -> None:
    vectors, labels = blobs()
    problem = Problem(vectors, labels, torch.ones(60, 1), 3)
    found = softmax(problem, 0.01, None, 1e-6)
    from_nothing = len(passes)
    softmax(problem, 0.01, found, 1e-5)
    assert len(passes) == from_nothing < 20  # what is known of the same problem is not computed again
    softmax(replace(problem), 0.01, found, 1e-5)
    assert len(passes) - from_nothing == 1 < from_nothing
    again, anew = (softmax(problem, 0.03, start, 1e-8).weight for start in (found, None))
    torch.testing.assert_close(again, anew, rtol=0, atol=2e-3)


@pytest.mark.parametrize("several", [False, True])
def test_heads_of_one_class_alone_end_soon(passes: list[Tensor], several: bool) -> None:
    """Their bias has no best value, and their loss falls with every step."""
    vectors, labels = blobs(2, classes=2)
    truth = torch.nn.functional.one_hot(labels, 2) > 0 if several else labels
    problem = Problem(vectors, truth, torch.eye(2), 2)  # each head leaves one of the two images out
    heads = None
    for strength in (10.0, 1.0, 0.1):
        heads = softmax(problem, strength, heads, 1e-4)
    assert len(passes) < 40
    assert heads is not None
    logits = heads.logits(vectors)  # (images, heads, classes)
    assert (logits.argmax(dim=2) == labels).all()  # each head answers its own class


def test_what_is_known_of_a_part_is_not_computed_again_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = blobs()
    whole = Problem(vectors, labels, torch.ones(60, 1), 3)
    part = whole.without(torch.arange(60) % 5 == 0)
    found = softmax(part, 0.1, None, 1e-6)
    seen: list[int] = []
    slopes = Problem.slopes

    def noted(self: Problem, weight: Tensor) -> Slopes:
        seen.append(len(self.vectors))
        return slopes(self, weight)

    monkeypatch.setattr(Problem, "slopes", noted)
    again = softmax(whole, 0.1, found.merged(), 1e-9)
    assert seen[0] == 12
    assert set(seen[1:]) == {60}
    torch.testing.assert_close(again.weight, softmax(whole, 0.1, None, 1e-9).weight, rtol=0, atol=2e-3)


@pytest.mark.parametrize("several", [False, True])
def test_a_step_ends_where_the_objective_is_least(several: bool) -> None:
    vectors, labels = blobs()
    truth = torch.nn.functional.one_hot(labels).bool() if several else labels
    problem = Problem(vectors, truth, torch.ones(60, 2), 3)
    penalty = torch.tensor([0.1] * 20 + [0.0])
    weight = torch.zeros(2, 3, 21)
    gradient = problem.slopes(weight).weight
    step = -gradient * torch.tensor([1.0, 30.0])[:, None, None]  # far too short, and far too long
    length = _length(problem, weight, step, (gradient * -step).sum(dim=(1, 2)).double(), penalty)

    def value(shares: float) -> Tensor:
        at = weight + (length * shares).float()[:, None, None] * step
        return problem.slopes(at).loss + (penalty * at.square()).sum(dim=(1, 2)) / 2

    assert (value(1.0) < torch.minimum(value(0.8), value(1.25))).all()


def test_the_mean_of_heads_is_one_head() -> None:
    heads = LinearHeads(torch.arange(24.0).view(2, 3, 4))
    assert heads.merged().weight.shape == (1, 3, 4)
    vectors = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(heads.merged().logits(vectors)[:, 0], heads.logits(vectors).mean(dim=1))


def test_ridge_is_the_solution_that_scikit_learn_finds() -> None:
    vectors, labels = blobs()
    weights = torch.ones(60, 2)
    weights[:20, 1] = 0
    heads = ridge(Problem(vectors, labels, weights, 3), 0.1, None, 0.0)
    targets = 2 * nn.functional.one_hot(labels).double().numpy() - 1
    for number, first in enumerate((0, 20)):
        other = Ridge(alpha=0.1 * (60 - first)).fit(vectors[first:, :-1].double().numpy(), targets[first:])
        np.testing.assert_allclose(heads.weight[number, :, :-1].numpy(), other.coef_, atol=1e-5)
        np.testing.assert_allclose(heads.weight[number, :, -1].numpy(), other.intercept_, atol=1e-5)


def test_ridge_of_several_labels_with_weights_of_a_yes() -> None:
    vectors, labels = blobs()
    truth, positive = torch.stack([labels == 0, labels < 2], dim=1), torch.tensor([3.0, 0.5])
    [weight] = ridge(Problem(vectors, truth, torch.ones(60, 1), 2, positive), 0.1, None, 0.0).weight
    for number in range(2):
        each = torch.where(truth[:, number], positive[number], 1.0)
        other = Ridge(alpha=0.1 * float(each.sum()))
        other.fit(vectors[:, :-1].numpy(), 2 * truth[:, number].double().numpy() - 1, sample_weight=each.numpy())
        np.testing.assert_allclose(weight[number, :-1].numpy(), other.coef_, atol=1e-5)
