"""Problems: gradients as PyTorch finds them, and vectors in other coordinates with the same solutions."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from striate.features import heads_problem
from striate.features.heads_problem import Frame, Problem

FLOATS = (torch.float32, torch.bfloat16)


def some(n: int = 30, size: int = 6, classes: int = 4, heads: int = 3, *, several: bool = False) -> Problem:
    rng = torch.Generator().manual_seed(0)
    vectors = torch.cat([torch.randn(n, size, generator=rng), torch.ones(n, 1)], dim=1)
    shape = (n, classes) if several else (n,)
    labels = torch.randint(0, 2 if several else classes, shape, generator=rng)
    weights = torch.rand(n, heads, generator=rng) * (torch.rand(n, heads, generator=rng) > 0.2)
    positive = torch.rand(classes, generator=rng) + 0.5 if several else None
    return Problem(vectors, labels.bool() if several else labels, weights, classes, positive)


def loss_of(problem: Problem, weight: Tensor) -> Tensor:
    """(heads,), as PyTorch computes it."""
    logits = torch.einsum("nk,hck->hnc", problem.vectors, weight)
    if not problem.many_hot:
        each = torch.stack([cross_entropy(logits[h], problem.labels, reduction="none") for h in range(problem.heads)])
        return (each * problem.weights.T).sum(dim=1) / problem.weights.sum(dim=0)
    truth, positive = problem.labels.float(), problem.positive
    assert positive is not None
    each = torch.stack(
        [binary_cross_entropy_with_logits(own, truth, pos_weight=positive, reduction="none") for own in logits]
    ).sum(dim=2)
    answers = torch.where(problem.labels, positive, 1.0).mean(dim=1)
    return (each * problem.weights.T).sum(dim=1) / (problem.weights * answers[:, None]).sum(dim=0)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("parts", [1, 7])
def test_loss_and_gradient_are_those_of_pytorch(monkeypatch: pytest.MonkeyPatch, several: bool, parts: int) -> None:
    problem = some(several=several)
    monkeypatch.setattr(heads_problem, "FEWEST_ROWS", 1)
    monkeypatch.setattr(heads_problem, "PART_VALUES", len(problem.vectors) * 12 // parts)
    weight = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(1)).requires_grad_()
    loss = loss_of(problem, weight)
    loss.sum().backward()
    slopes = problem.slopes(weight.detach())
    torch.testing.assert_close(slopes.loss.float(), loss.detach())
    torch.testing.assert_close(slopes.weight, weight.grad)
    assert len(list(problem.parts())) == pytest.approx(parts, abs=1)


def test_vectors_in_bfloat16_give_nearly_the_same_slopes() -> None:
    problem = some()
    weight = torch.randn(3, 4, 7, generator=torch.Generator().manual_seed(1))
    exact, rounded = (replace(problem, vectors=problem.vectors.to(dtype)).slopes(weight) for dtype in FLOATS)
    torch.testing.assert_close(rounded.loss, exact.loss, rtol=0.01, atol=0.0)
    torch.testing.assert_close(rounded.weight, exact.weight, rtol=0.02, atol=0.01)
    assert rounded.weight.dtype is torch.float32
    assert not torch.equal(rounded.weight, exact.weight)


@pytest.mark.parametrize("several", [False, True])
def test_slopes_at_zero_are_those_of_a_pass(several: bool) -> None:
    problem = some(several=several)
    expected = problem.slopes(torch.zeros(3, 4, 7))
    for name, value in vars(problem.slopes_at_zero).items():
        torch.testing.assert_close(value, getattr(expected, name))


@pytest.mark.parametrize("several", [False, True])
def test_slopes_along_a_change_are_those_of_pytorch(several: bool) -> None:
    problem = some(several=several)
    rng = torch.Generator().manual_seed(1)
    weight, step = (torch.randn(3, 4, 7, generator=rng) for _ in range(2))
    length = torch.zeros(3, requires_grad=True)
    loss = loss_of(problem, weight + length[:, None, None] * step)
    [slope] = torch.autograd.grad(loss.sum(), length, create_graph=True)
    [bend] = torch.autograd.grad(slope.sum(), length)
    found = problem.along(problem.logits(weight), problem.logits(step))
    torch.testing.assert_close([each.float() for each in found], [slope.detach(), bend])


@pytest.mark.parametrize("classes", [2, 9])
def test_the_rest_adds_up_to_the_whole(classes: int) -> None:
    whole = some(classes=classes)
    left_out = torch.arange(30) % 5 == 0
    part = whole.without(left_out)
    assert part.rest is not None
    assert (part.whole, len(part.vectors), len(part.rest.vectors)) == (whole, 24, 6)
    weight = torch.randn(3, classes, 7, generator=torch.Generator().manual_seed(1))
    expected = whole.slopes(weight)
    for name, value in vars(part.with_rest(part.slopes(weight), weight)).items():
        torch.testing.assert_close(value, getattr(expected, name))
    with pytest.raises(ValueError, match="whole"):
        whole.with_rest(expected, weight)


def test_some_vectors_stand_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads_problem, "SOME", 10)
    assert torch.equal(some(39).some.labels, some(39).labels[::3])
    assert len(some(19).some.labels) == 19


def test_curvature_is_the_mean_of_p_times_1_less_p() -> None:
    problem = some(heads=1)
    weight = torch.randn(1, 4, 7, generator=torch.Generator().manual_seed(1))
    p = (problem.vectors @ weight[0].T).softmax(dim=1)
    expected = ((p * (1 - p)).mean(dim=1) * problem.weights[:, 0]).sum() / problem.weights.sum()
    torch.testing.assert_close(problem.slopes(weight).curvature, expected[None])


def test_large_logits_do_not_overflow() -> None:
    slopes = some().slopes(torch.full((3, 4, 7), 1e4) * torch.arange(4)[None, :, None])
    assert slopes.loss.isfinite().all()
    assert slopes.weight.isfinite().all()


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("features", [5, 90])
def test_vectors_are_standardised_over_all_views(monkeypatch: pytest.MonkeyPatch, views: int, features: int) -> None:
    monkeypatch.setattr(heads_problem, "ROWS", 7)
    rng = torch.Generator().manual_seed(0)
    given = [torch.randn(20, features, generator=rng) * torch.logspace(-2, 2, features) + 3 for _ in range(views)]
    frame = Frame.of(given, may_turn=False)
    every = torch.cat(given).double()
    assert frame.vectors.shape == (20 * views, features + 1)
    assert (frame.vectors[:, -1] == 1).all()
    expected = (every - every.mean(dim=0)) / every.std(dim=0, correction=0)
    torch.testing.assert_close(frame.vectors[:, :-1], expected.float(), rtol=1e-4, atol=1e-4)


def test_a_feature_that_never_changes_is_left_at_0() -> None:
    given = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    given[:, 2] = 7.25
    assert (Frame.of([given], may_turn=False).vectors[:, 2] == 0).all()


@pytest.mark.parametrize(("n", "turned"), [(8, True), (40, False)])
def test_turned_vectors_have_the_same_inner_products_and_weights_go_back(n: int, turned: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    given = 3 * torch.randn(n, 20, generator=rng) + 1
    frame, plain = Frame.of([given], may_turn=True), Frame.of([given], may_turn=False)
    assert frame.vectors.shape == (n, (n if turned else 20) + 1)
    own, other = frame.vectors[:, :-1], plain.vectors[:, :-1]
    torch.testing.assert_close(own @ own.T, other @ other.T, rtol=1e-4, atol=1e-3)
    weight = torch.randn(3, frame.vectors.shape[1], generator=rng)
    outward, bias = frame.outward(weight)
    logits = given.double() @ outward.T + bias
    torch.testing.assert_close(logits.float(), frame.vectors @ weight.T, rtol=1e-3, atol=1e-3)


def test_least_squares_leaves_out_what_has_no_weight() -> None:
    problem = some()
    moments, products = problem.least_squares[1]
    weights, vectors = problem.weights[:, 1:2], problem.vectors
    targets = 2 * torch.nn.functional.one_hot(problem.labels, 4) - 1.0
    total = weights.sum()
    torch.testing.assert_close(moments, vectors.T @ (weights * vectors) / total)
    torch.testing.assert_close(products, vectors.T @ (weights * targets) / total)
