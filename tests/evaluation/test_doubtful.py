"""Labels that a model doubts."""

from dataclasses import fields, replace

import numpy as np
import pytest
from planted import planted_answers

from striate.evaluation.doubtful import doubtful
from striate.tasks.answers import Answers

SURE = [[0.99, 0.97], [0.6, 0.99]]


def test_a_wrong_answer_as_sure_as_right_ones_is_doubtful() -> None:
    answers = planted_answers([[200, 3], [5, 200]], [[0.99, 0.995], [0.6, 0.99]])
    places = doubtful(answers, 2)
    assert len(places) == 3
    assert (answers.labels[places] == 0).all()
    assert (answers.answers[places] == 1).all()


def test_less_sure_than_the_images_of_that_class_is_not_enough() -> None:
    assert len(doubtful(planted_answers([[200, 3], [5, 200]], SURE), 2)) == 0


def test_a_model_that_is_often_sure_and_wrong_has_no_say() -> None:
    assert len(doubtful(planted_answers([[50, 30], [30, 50]], 0.99), 2)) == 0


@pytest.mark.parametrize(("own", "found"), [(0, 3), (17, 3), (60, 0)])
def test_a_model_with_many_mistakes_of_its_own_doubts_nothing(own: int, found: int) -> None:
    """Three labels are wrong; the model is unsure where it errs by itself, and sure in nine of ten right answers."""
    sure = planted_answers([[200, 3], [0, 200]], 0.95)
    unsure = planted_answers([[20, own], [0, 20]], 0.6)
    both = Answers(*(np.concatenate([getattr(sure, f.name), getattr(unsure, f.name)]) for f in fields(sure)))
    assert len(doubtful(both, 2)) == found


def test_the_most_doubtful_come_first() -> None:
    answers = planted_answers([[300, 2], [0, 300]], 0.95)
    confidence, truth = answers.confidence.copy(), answers.truth.copy()
    last = np.flatnonzero(~answers.hits)[-1]
    confidence[last], truth[last] = 0.99, 0.01
    assert doubtful(replace(answers, confidence=confidence, truth=truth), 2)[0] == last


def test_no_images_no_doubts() -> None:
    answers = planted_answers([[3, 0], [0, 3]]).take(np.zeros(0, np.int64))
    assert len(doubtful(answers, 2)) == 0
