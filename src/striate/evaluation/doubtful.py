"""Labels that may be wrong: images that a model, which never saw them, is sure to be of another class.

Source: Northcutt, Jiang, Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR 70
(arXiv:1911.00068), sec. 3.1, for what counts as sure; with two bounds of ours, so that a poor model doubts nothing.
"""

import numpy as np
from numpy.typing import NDArray

from striate.tasks.answers import Answers

SURE = 0.9  # the least probability of another class that makes a label doubtful
TRUSTED = 0.95  # share of right answers among those of `SURE` or more, under which the model has no say


def doubtful(answers: Answers, classes: int) -> NDArray[np.int64]:
    """The places of the images whose label is doubtful, the most doubtful first.

    An image's label is doubtful where the answer is another class, and its probability is at least `SURE` and at least
    what the images of that class themselves have on average. None is where such sure answers are often wrong.

    Args:
        answers: of N images that the model did not learn from.
        classes: how many there are.
    """
    sure = answers.confidence >= SURE
    if answers.hits[sure].sum() < TRUSTED * sure.sum():
        return np.empty(0, np.int64)
    counts = np.bincount(answers.labels, minlength=classes)
    total = np.bincount(answers.labels, answers.truth, classes)
    usual = np.divide(total, counts, out=np.full(classes, np.inf), where=counts > 0)
    places = np.flatnonzero(sure & ~answers.hits & (answers.confidence >= usual[answers.answers]))
    return places[np.argsort(answers.truth[places] - answers.confidence[places], kind="stable")]
