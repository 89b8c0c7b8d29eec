"""Heads: right solutions, honest cross-validation, calibrated."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from striate.errors import DataError
from striate.features import fit
from striate.features.heads import Kind, Problem, ridge, softmax
from striate.tasks.temperature import fit_temperature

KINDS: tuple[Kind, ...] = ("softmax", "ridge", "mlp", "cosine")


def blobs(
    n: int = 60, features: int = 20, classes: int = 3, apart: float = 3.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Vectors around a centre a class, far from 0 and of very different scales, and their class."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = apart * torch.nn.functional.normalize(torch.randn(classes, features, generator=rng))
    vectors = centres[labels] + torch.randn(n, features, generator=rng)
    return vectors * torch.logspace(-2, 2, features) + 5, labels


def problem(vectors: Tensor, targets: Tensor, several: bool = False) -> Problem:
    return Problem(vectors.double(), targets.double(), torch.ones_like(targets, dtype=torch.float64), several)


def test_softmax_is_the_solution_that_scikit_learn_finds() -> None:
    vectors, labels = blobs(apart=1.5)
    vectors = (vectors - vectors.mean(dim=0)) / vectors.std(dim=0)
    head = softmax(problem(vectors, nn.functional.one_hot(labels)), 0.01, None)
    other = LogisticRegression(C=1 / (0.01 * len(labels)), tol=1e-8, max_iter=1000).fit(vectors.numpy(), labels.numpy())
    np.testing.assert_allclose(head.weight.numpy(), other.coef_, atol=2e-3)


def test_ridge_is_the_solution_that_scikit_learn_finds() -> None:
    vectors, labels = blobs(apart=1.5)
    targets = nn.functional.one_hot(labels)
    head = ridge(problem(vectors, targets), 0.1, None)
    other = Ridge(alpha=0.1 * len(labels)).fit(vectors.double().numpy(), 2 * targets.numpy() - 1)
    np.testing.assert_allclose(head.weight.numpy(), other.coef_, atol=1e-8)
    np.testing.assert_allclose(head.bias.numpy(), other.intercept_, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("features", [5, 200])
def test_classes_that_lie_apart_are_told_apart(kind: Kind, features: int) -> None:
    vectors, labels = blobs(90, features, apart=8)
    fitted = fit([vectors[:60]], labels[:60], 3, kind=kind)
    assert (fitted.out_of_fold.argmax(dim=1) == labels[:60]).float().mean() > 0.9
    assert (fitted.head(vectors[60:]).argmax(dim=1) == labels[60:]).float().mean() > 0.9
    assert min(fitted.losses.values()) == fitted.losses[fitted.strength]


@pytest.mark.parametrize("kind", ["softmax", "ridge"])
def test_a_linear_head_is_one_layer_of_the_vectors_as_they_are(kind: Kind) -> None:
    vectors, labels = blobs()
    head = fit([vectors], labels, 3, kind=kind).head
    assert isinstance(head, nn.Linear)
    assert head.weight.shape == (3, 20)
    assert head.weight.dtype is torch.float32
    assert not head.weight.requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_scale_and_origin_of_features_do_not_matter(kind: Kind) -> None:
    vectors, labels = blobs()
    one = fit([vectors], labels, 3, kind=kind)
    two = fit([vectors.double() * 7 - 3], labels, 3, kind=kind)
    torch.testing.assert_close(one.out_of_fold, two.out_of_fold, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(one.head(vectors), two.head(vectors * 7 - 3), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_of_labels_that_mean_nothing_nothing_is_learnt(kind: Kind) -> None:
    vectors, _ = blobs(200, 300)
    labels = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(1))
    fitted = fit([vectors], labels, 2, kind=kind)
    assert 0.35 < (fitted.out_of_fold.argmax(dim=1) == labels).float().mean() < 0.65
    assert cross_entropy(fitted.out_of_fold, labels) > 0.65  # a head that had seen them would be sure of them


def test_further_views_of_a_picture_are_held_out_with_it() -> None:
    vectors, _ = blobs(200, 300)
    labels = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(1))
    fitted = fit([vectors, vectors + 1e-3], labels, 2)
    assert cross_entropy(fitted.out_of_fold, labels) > 0.65
    assert fitted.out_of_fold.shape == (200, 2)


@given(st.floats(0.1, 10), st.booleans())
@settings(max_examples=20)
def test_the_temperature_is_the_one_that_made_the_labels(temperature: float, several: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4000, 3, generator=rng, dtype=torch.float64)
    if several:
        labels = torch.bernoulli(logits.sigmoid(), generator=rng)
    else:
        labels = torch.multinomial(logits.softmax(dim=1), 1, generator=rng)[:, 0]
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("pictures", [20, 200])
def test_pictures_that_are_all_answered_right_do_not_make_a_head_sure(pictures: int, several: bool) -> None:
    labels = torch.arange(pictures) % 2
    truth = nn.functional.one_hot(labels, 2) if several else labels
    logits = 20.0 * nn.functional.one_hot(labels, 2) - 10.0
    scaled = logits / fit_temperature(logits, truth)
    sure = scaled.sigmoid() if several else scaled.softmax(dim=1)
    expected = (pictures + 0.5) / (pictures + 1)  # Jeffreys' estimate of a share, of so many right and none wrong
    torch.testing.assert_close(sure[0, 0], torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_for_training_that_goes_on_logits_are_the_best_for_its_loss(kind: Kind) -> None:
    vectors, labels = blobs(apart=8)
    fitted = fit([vectors], labels, 3, kind=kind, smoothing=0.1)

    def lost(scale: float) -> float:
        return float(cross_entropy(scale * fitted.out_of_fold, labels, label_smoothing=0.1))

    assert lost(1.0) < min(lost(0.9), lost(1.1))
    probabilities = fit([vectors], labels, 3, kind=kind)
    one, two = (found.head(vectors) * found.temperature for found in (fitted, probabilities))
    torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_several_labels_a_picture(kind: Kind) -> None:
    vectors, labels = blobs(90, apart=8)
    truth = torch.stack([labels == 0, labels != 0, labels == 2], dim=1).float()
    fitted = fit([vectors], truth, 3, kind=kind)
    assert binary_cross_entropy_with_logits(fitted.out_of_fold, truth) < 0.5
    if kind != "cosine":  # which has no bias: a yes or no of each class cannot be moved
        assert ((fitted.out_of_fold > 0) == truth.bool()).float().mean() > 0.9


@pytest.mark.parametrize("kind", ["softmax", "ridge"])
def test_weights_make_up_for_rare_classes(kind: Kind) -> None:
    vectors, _ = blobs(220, 5, classes=2, apart=0.0)
    labels = torch.cat([torch.zeros(200), torch.ones(20)]).long()
    vectors[labels == 1, 0] += 0.01
    balanced = torch.tensor([0.55, 5.5])
    plain, weighted = (fit([vectors], labels, 2, kind=kind, weight=w).head(vectors) for w in (None, balanced))
    assert (plain.argmax(dim=1) == 1).sum() < 10
    assert (weighted.argmax(dim=1) == 1).sum() > 60


def test_a_class_of_one_picture() -> None:
    vectors, labels = blobs(31)
    labels[:] = torch.arange(31) % 2
    labels[30] = 2
    assert fit([vectors], labels, 3).out_of_fold.isfinite().all()


def test_features_that_never_change() -> None:
    vectors, labels = blobs(apart=8)
    vectors[:, 3] = 0
    fitted = fit([vectors], labels, 3)
    assert fitted.head(vectors).isfinite().all()
    assert (fitted.head(vectors).argmax(dim=1) == labels).all()


def test_one_picture_is_too_few() -> None:
    with pytest.raises(DataError) as caught:
        fit([torch.zeros(1, 3)], torch.zeros(1).long(), 2)
    assert str(caught.value) == "train: expected at least two pictures to fit a head to; got 1."
