"""Heads: right solutions, honest cross-validation, calibrated."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from striate.device import Precision
from striate.errors import DataError
from striate.features import fit, heads
from striate.features.heads import Heads, Kind
from striate.features.heads_problem import Frame, Problem

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
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
def test_only_the_strengths_that_are_given_are_tried(kind: Kind) -> None:
    vectors, labels = blobs()
    fitted = fit([vectors], labels, 3, kind=kind, strengths=(0.5, 0.05))
    assert set(fitted.losses) <= {0.5, 0.05}
    assert fitted.strength in fitted.losses
    [alone] = fit([vectors], labels, 3, kind=kind, strengths=[fitted.strength]).losses.items()
    assert alone[1] == pytest.approx(fitted.losses[alone[0]], rel=0.05)


@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_a_smaller_tolerance_comes_closer_to_the_least_loss(strength: float) -> None:
    vectors, labels = blobs(apart=1)
    exact, near, rough = (fit([vectors], labels, 3, strengths=[strength], tolerance=t) for t in (1e-7, 1e-4, 0.2))
    away = [float((each.out_of_fold - exact.out_of_fold).abs().max()) for each in (near, rough)]
    assert away[0] < 0.05 * away[1]


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


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_images_one_part_is_held_out(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    monkeypatch.setattr(heads, "FOLDED_WORK", 0)
    vectors, _ = blobs(500, 20)
    labels = torch.randint(0, 2, (500,), generator=torch.Generator().manual_seed(1))
    fitted = fit([vectors, vectors + 1e-3], labels, 2, kind=kind)
    assert len(fitted.held_out) == len(fitted.out_of_fold) == 100
    assert fitted.held_out.unique().tolist() == fitted.held_out.tolist()
    assert labels[fitted.held_out].float().mean() == pytest.approx(float(labels.float().mean()), abs=0.02)
    assert cross_entropy(fitted.out_of_fold, labels[fitted.held_out]) > 0.65  # a head that had seen them would be sure


def test_no_more_images_are_held_out_than_an_interval_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MOST_HELD_OUT", 20)
    vectors, labels = blobs(200)
    assert len(fit([vectors], labels, 3, folds=1).held_out) == 20


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vectors of twenty classes, which are taken for many, their labels, and others to test on."""
    monkeypatch.setattr(heads, "FOLDED_WORK", 1.0)
    monkeypatch.setattr(heads, "MANY_CLASSES", 20)
    monkeypatch.setattr(heads, "LEAST_HELD_OUT", 100)
    vectors, labels = blobs(4000, 40, 20, apart=3)
    return vectors[:3000], labels[:3000], vectors[3000:], labels[3000:]


def test_of_many_classes_the_penalty_is_looked_for_among_some(
    monkeypatch: pytest.MonkeyPatch, many: tuple[Tensor, Tensor, Tensor, Tensor]
) -> None:
    vectors, labels, others, answers = many
    seen: list[tuple[int, int]] = []
    solve, usual = heads.SOLVERS["softmax"]

    def noted(problem: Problem, strength: float, start: Heads | None, tolerance: float) -> Heads:
        seen.append((problem.classes, len(problem.vectors)))
        return solve(problem, strength, start, tolerance)

    monkeypatch.setitem(heads.SOLVERS, "softmax", (noted, usual))
    some = fit([vectors, vectors], labels, 20)
    among_some, of_all, last = (seen.count(each) for each in ((5, 1200), (20, 4800), (20, 6000)))
    assert (among_some + of_all + last, last) == (len(seen), 1)
    assert of_all == len(some.losses)
    assert len(some.held_out) == 600
    monkeypatch.setattr(heads, "MANY_CLASSES", 21)
    every = fit([vectors, vectors], labels, 20)
    assert len(some.losses) < len(every.losses)
    assert 0.3 < some.strength / every.strength < 3.3
    loss, same = (float(cross_entropy(each.head(others), answers)) for each in (some, every))
    assert loss == pytest.approx(same, rel=0.02)


@pytest.mark.parametrize("gain", [1e-9, 0.5])
def test_the_first_penalty_of_all_classes_is_stronger_than_a_good_one_of_some(
    monkeypatch: pytest.MonkeyPatch, many: tuple[Tensor, Tensor, Tensor, Tensor], gain: float
) -> None:
    vectors, labels, *_ = many
    found: list[dict[float, float]] = []
    searched = heads._search

    def noted(*given: Any, **how: Any) -> Any:
        best, losses = searched(*given, **how)
        found.append(losses)
        return best, losses

    monkeypatch.setattr(heads, "_search", noted)
    monkeypatch.setattr(heads.Effort, "of", lambda work: heads.Effort(gain, 13, 1e-2, 0.3, slice(13)))
    fit([vectors], labels, 20)
    some, every = found
    least = min(some.values())
    good = max(strength for strength, loss in some.items() if loss <= least * (1 + gain))
    strongest = heads.SOLVERS["softmax"][1][0]
    assert max(every) == pytest.approx(min(good / 4 * 10, strongest), rel=0.02)  # there are a quarter of the vectors
    assert (good == min(some, key=some.__getitem__)) is (gain < 0.1)


def test_too_few_images_of_some_classes_are_no_guide_to_the_penalty(
    monkeypatch: pytest.MonkeyPatch, many: tuple[Tensor, Tensor, Tensor, Tensor]
) -> None:
    vectors, labels, *_ = many
    monkeypatch.setattr(heads, "LEAST_HELD_OUT", 151)
    among_some = fit([vectors], labels, 20)
    monkeypatch.setattr(heads, "MANY_CLASSES", 21)
    assert fit([vectors], labels, 20).losses == among_some.losses


def test_of_much_bfloat16_gives_nearly_the_same_head(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = blobs(3000, apart=4)
    monkeypatch.setattr(heads, "FOLDED_WORK", 1.0)
    one, two = (fit([vectors[:2000]], labels[:2000], 3, precision=each) for each in PRECISIONS)
    first, second = one.head(vectors[2000:]), two.head(vectors[2000:])
    assert not torch.equal(first, second)
    assert (first.argmax(dim=1) == second.argmax(dim=1)).float().mean() > 0.99
    assert cross_entropy(first, labels[2000:]) == pytest.approx(float(cross_entropy(second, labels[2000:])), rel=0.01)
    assert second.dtype is two.out_of_fold.dtype is torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_changes_nothing_of_little_nor_of_other_kinds(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    vectors, labels = blobs()
    if kind != "softmax":
        monkeypatch.setattr(heads, "FOLDED_WORK", 1.0)
    one, two = (fit([vectors], labels, 3, kind=kind, precision=each) for each in PRECISIONS)
    assert torch.equal(one.out_of_fold, two.out_of_fold)


def test_all_images_are_held_out_in_turn_where_they_are_few() -> None:
    vectors, labels = blobs(61)
    assert fit([vectors], labels, 3).held_out.tolist() == list(range(61))


@pytest.mark.parametrize("folds", [1, 5])
def test_weaker_penalties_are_tried_until_the_loss_no_longer_falls(folds: int) -> None:
    vectors, _ = blobs(200, 300)
    labels = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(1))
    fitted = fit([vectors], labels, 2, folds=folds)
    tried = list(fitted.losses)
    assert tried == sorted(tried, reverse=True)
    assert len(tried) < 10
    assert min(fitted.losses.values()) <= fitted.losses[fitted.strength]


@pytest.mark.parametrize(
    ("losses", "tried"),
    [
        pytest.param([4.0, 3.99, 3.985, 3.5, 2.0, 1.9, 1.95, 1.0], 7, id="flat at first"),
        pytest.param([4.0, 3.0, 2.99, 2.0], 3, id="falls at once"),
        pytest.param([4.0, 4.5, 3.0], 2, id="rises at once"),
        pytest.param([4.0, 4.0, 4.0, 4.0], 4, id="flat to the end"),
    ],
)
def test_penalties_too_strong_to_tell_do_not_end_the_search(
    losses: list[float], tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter(losses)
    made = heads._tried
    monkeypatch.setattr(heads, "_tried", lambda *given: replace(made(*given), loss=next(found)))
    monkeypatch.setattr(heads.Effort, "of", lambda work: heads.Effort(1e-2, 1, 1e-2, 0.1, slice(len(losses))))
    vectors, labels = blobs(40, 3, 2)
    fitted = fit([vectors], labels, 2)
    assert list(fitted.losses.values()) == losses[:tried]


def test_a_loss_that_is_known_to_fall_before_ends_the_search_where_it_is_flat() -> None:
    vectors, labels = blobs(40, 3, 2)
    frame = Frame.of([vectors], may_turn=True)
    whole = heads._problem(frame, labels, 2, None, None)
    answered_by = heads._answered_by(labels, 1, 0.0, 0)
    effort = heads.Effort(0.9, 1, 1e-2, 0.1, slice(13))  # nothing counts as a gain
    strengths = [1e3, 1e2, 10.0, 1.0]
    solve, _ = heads.SOLVERS["softmax"]
    tried = (
        len(heads._search(whole, answered_by, solve, strengths, effort, lambda count, note: None, falls=falls)[1])
        for falls in (False, True)
    )
    assert tuple(tried) == (4, 2)


def test_progress_adds_up_where_the_penalty_is_searched_for_among_some(
    many: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    done: list[int] = []
    fit([many[0]], many[1], 20, advance=lambda count, note: done.append(count))
    assert sum(done) == len(heads.SOLVERS["softmax"][1]) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_progress_adds_up_to_all_penalties_and_the_last_fit(kind: Kind) -> None:
    vectors, labels = blobs()
    told: list[tuple[int, str]] = []
    fitted = fit([vectors], labels, 3, kind=kind, advance=lambda count, note: told.append((count, note)))
    assert sum(count for count, _ in told) == len(heads.SOLVERS[kind][1]) + 1
    first = max(fitted.losses)
    assert told[0][1] == f"penalty {first:.2g}: held-out loss {fitted.losses[first]:.4f}"


def test_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    vectors, labels = blobs()
    fit([vectors], labels, 3)
    assert torch.get_num_threads() == before


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


@pytest.mark.parametrize("kind", ["softmax", "ridge"])
@pytest.mark.parametrize(("labels", "classes"), [([0, 1], 2), ([0, 1, 2], 3), ([0, 0, 0], 1)])
@pytest.mark.parametrize("features", [2, 40])
@pytest.mark.parametrize("several", [False, True])
def test_heads_of_which_each_is_taught_one_class_alone(
    kind: Kind, labels: list[int], classes: int, features: int, several: bool
) -> None:
    turn = torch.arange(len(labels))[:, None] * torch.pi * 2 / 3  # corners of a triangle
    vectors = 3 * torch.cat([turn.sin(), turn.cos(), torch.zeros(len(labels), features - 2)], dim=1)
    truth = torch.tensor(labels)
    fitted = fit(
        [vectors, vectors + 0.1], torch.nn.functional.one_hot(truth, classes) if several else truth, classes, kind=kind
    )
    assert fitted.out_of_fold.isfinite().all()
    if not several:
        assert (fitted.head(vectors).argmax(dim=1) == truth).all()


@pytest.mark.parametrize("kind", ["softmax", "ridge"])
@pytest.mark.parametrize("features", [2, 40])
def test_images_that_are_all_alike(kind: Kind, features: int) -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 1, 1])
    answers = fit([torch.full((7, features), 3.0)], labels, 2, kind=kind).head(torch.full((1, features), 3.0))
    assert answers.isfinite().all()
    assert answers.argmax() == 1  # the more frequent class


def test_one_picture_is_too_few() -> None:
    with pytest.raises(DataError) as caught:
        fit([torch.zeros(1, 3)], torch.zeros(1).long(), 2)
    assert str(caught.value) == "train: expected at least two images to fit a head to; got 1."
