"""Cross-validated answers, by parts."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from striate.features.heads import fit
from striate.plan.curves import STRENGTHS, TOLERANCE, Answers, answers, around, by_stage, sizes, thinned
from striate.tasks import HeadProblem
from striate.tasks.classify import Classify

TASK = Classify(("a", "b"))


@pytest.fixture(scope="module")
def cloud() -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors (160, 20) and labels of two classes that overlap."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(160) % 2
    return torch.randn(160, 20, generator=rng) + labels[:, None] * 0.5, labels


def test_one_part_is_what_the_fit_says_itself(cloud: tuple[torch.Tensor, torch.Tensor]) -> None:
    vectors, labels = cloud
    found = answers(vectors, HeadProblem(labels, None, None), TASK, seed=0)
    assert torch.equal(found.logits, fit([vectors], labels, 2, tolerance=TOLERANCE, seed=0).out_of_fold)
    assert found.accuracy.value == np.mean(found.hits)
    assert 0.6 < found.accuracy.value < 1


def test_a_image_is_answered_from_its_own_part_alone(cloud: tuple[torch.Tensor, torch.Tensor]) -> None:
    vectors, labels = cloud
    before = answers(vectors, HeadProblem(labels, None, None), TASK, seed=0, parts=4)
    changed = vectors.clone()
    changed[0] += 100
    after = answers(changed, HeadProblem(labels, None, None), TASK, seed=0, parts=4)
    moved = (before.logits != after.logits).any(dim=1)
    assert moved[0]
    assert 10 <= int(moved.sum()) <= 40


def test_fewer_images_give_less(cloud: tuple[torch.Tensor, torch.Tensor]) -> None:
    vectors, labels = cloud
    problem = HeadProblem(labels, None, None)
    few, all_of_them = (answers(vectors, problem, TASK, seed=0, parts=parts) for parts in (8, 1))
    assert few.accuracy.value < all_of_them.accuracy.value - 0.03


@pytest.mark.parametrize("parts", [2, 8])
def test_heads_of_parts_try_penalties_around_that_of_all_images(
    parts: int, cloud: tuple[torch.Tensor, torch.Tensor]
) -> None:
    vectors, labels = cloud
    problem = HeadProblem(labels, None, None)
    free = answers(vectors, problem, TASK, seed=0, parts=parts)
    [strength] = answers(vectors, problem, TASK, seed=0).strengths
    found = answers(vectors, problem, TASK, seed=0, parts=parts, strengths=around(strength, parts))
    assert len(found.strengths) == parts
    assert set(found.strengths) <= set(around(strength, parts))
    assert abs(found.accuracy.value - free.accuracy.value) < 0.05


@pytest.mark.parametrize(
    ("best", "asked"),
    [
        ([0.01, 0.1, 1.0], [None, 10.0, 1.0]),  # of the last stage all, then from ten times the best of the one after
        ([1.0, 0.1], [None, 1.0, None]),  # the first that is tried does best: all are
        ([10.0, 10.0], [None, 10.0]),  # that is all
    ],
)
def test_a_stage_begins_with_the_penalty_of_the_stage_after_it(best: list[float], asked: list[float | None]) -> None:
    stages, told = [torch.full((1, 1), each) for each in best], []

    def fitted(vectors: torch.Tensor, strengths: Sequence[float] | None) -> Answers:
        told.append(None if strengths is None else strengths[0])
        return Answers(torch.zeros(1, 2), np.array([True]), (min(STRENGTHS, key=lambda s: abs(s - float(vectors))),))

    found = by_stage(stages, fitted)
    assert [each.strengths[0] for each in found] == pytest.approx(best)
    assert told == pytest.approx(asked)


def test_penalties_around_reach_from_that_of_all_images_to_one_for_each_part() -> None:
    found = around(0.1, 8)
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.8
    assert found[-1] <= 0.1
    assert len(found) == 4


def test_several_labels_a_image() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (60, 3), generator=rng).float()
    vectors = torch.cat([labels * 4, torch.randn(60, 5, generator=rng)], dim=1)
    task = Classify(("a", "b", "c"), several_labels=True)
    found = answers(vectors, HeadProblem(labels, None, None), task, seed=0, parts=2)
    assert found.accuracy.value > 0.9


@pytest.mark.parametrize(
    ("images", "classes", "expected"),
    [
        (1000, 2, [8, 4, 2]),
        (40, 2, [4, 2]),
        (39, 2, [2]),
        (19, 2, []),
        (1000, 125, [4, 2]),
        (1000, 200, [2]),
        (1000, 251, []),
    ],
)
def test_parts_are_large_enough(images: int, classes: int, expected: list[int]) -> None:
    assert sizes(images, classes) == expected


@pytest.mark.parametrize("most", [1, 7, 30, 99, 100, 500])
def test_thinned_keeps_the_shares_of_the_classes(most: int) -> None:
    labels = torch.tensor([0] * 70 + [1] * 30)
    kept = thinned(labels, most, seed=3)
    assert len(kept) == min(most, 100)
    assert np.array_equal(kept, np.unique(kept))
    assert abs(int(labels[kept].sum()) - 0.3 * len(kept)) < 1
    assert np.array_equal(kept, thinned(labels, most, seed=3))
    assert most in (1, 100, 500) or not np.array_equal(kept, thinned(labels, most, seed=4))
