import numpy as np
import pytest
import torch

from striate.evaluation.classes import class_scores, confused_pairs, confusion_matrix
from striate.evaluation.intervals import UNKNOWN, Resampling, share
from striate.tasks.answers import Answers

NAMES = ("ant", "bee", "cat")


def answered(pairs: list[tuple[int, int]], classes: int = 3) -> Answers:
    """Answers of (truth, answer) pairs."""
    logits = torch.nn.functional.one_hot(torch.tensor([answer for _, answer in pairs]), classes).float()
    return Answers.of(5 * logits, torch.tensor([truth for truth, _ in pairs]))


PAIRS = [(0, 0)] * 6 + [(0, 1)] * 2 + [(1, 1)] * 5 + [(1, 0)] * 5


def test_the_matrix_by_hand() -> None:
    assert confusion_matrix(answered(PAIRS), 3).tolist() == [[6, 2, 0], [5, 5, 0], [0, 0, 0]]


def test_scores_by_hand() -> None:
    ant, bee, cat = class_scores(answered(PAIRS), NAMES, Resampling(len(PAIRS)))
    assert (ant.name, ant.count, ant.answered) == ("ant", 8, 11)
    assert (ant.recall, ant.precision) == (share(6, 8), share(6, 11))
    assert (bee.recall, bee.precision) == (share(5, 10), share(5, 7))
    assert ant.f1.value == pytest.approx(12 / 19)
    assert ant.f1.low < 12 / 19 < ant.f1.high
    assert (cat.count, cat.answered, cat.recall, cat.precision, cat.f1) == (0, 0, UNKNOWN, UNKNOWN, UNKNOWN)


def test_f1_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score

    rng = np.random.default_rng(0)
    pairs = [(int(t), int(a)) for t, a in rng.integers(0, 3, (200, 2))]
    truth, answer = zip(*pairs, strict=True)
    scores = class_scores(answered(pairs), NAMES, Resampling(200))
    for name, function in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        assert [getattr(row, name).value for row in scores] == pytest.approx(function(truth, answer, average=None))


def test_a_class_that_is_always_right_still_has_an_interval() -> None:
    (only,) = class_scores(answered([(0, 0)] * 10, 1), ("ant",), Resampling(10))
    assert only.f1.value == 1.0
    assert 0.6 < only.f1.low < 0.9


def test_groups_widen_every_interval() -> None:
    groups = np.repeat(np.arange(len(PAIRS)), 10)
    many = answered([pair for pair in PAIRS for _ in range(10)])
    apart = class_scores(many, NAMES, Resampling(180))[0]
    together = class_scores(many, NAMES, Resampling(180, groups))[0]
    for name in ("recall", "precision", "f1"):
        narrow, wide = getattr(apart, name), getattr(together, name)
        assert wide.value == narrow.value
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_pairs_that_are_confused_most() -> None:
    matrix = {(0, 0): 50, (0, 1): 3, (1, 0): 3, (1, 1): 3, (1, 2): 1, (2, 2): 7}
    answers = answered([pair for pair, count in matrix.items() for _ in range(count)])
    pairs = confused_pairs(answers, NAMES, Resampling(67))
    assert [(pair.truth, pair.answer, pair.count) for pair in pairs] == [
        ("bee", "ant", 3),  # of 7
        ("ant", "bee", 3),  # of 53
        ("bee", "cat", 1),
    ]
    assert pairs[0].share == share(3, 7)
    assert len(confused_pairs(answers, NAMES, Resampling(67), most=1)) == 1


def test_many_classes_take_little_memory() -> None:
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 300, 3000))
    scores = class_scores(Answers.of(torch.randn(3000, 300), labels), tuple(map(str, range(300))), Resampling(3000))
    assert sum(row.count for row in scores) == 3000
