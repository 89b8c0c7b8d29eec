"""Labels that may be wrong: images that a model, which never saw them, is sure to be of another class.

Source: Northcutt, Jiang, Chuang 2021, "Confident learning: estimating uncertainty in dataset labels", JAIR 70
(arXiv:1911.00068), sec. 3.1, for what counts as sure; with three bounds of ours, so that a poor model doubts nothing.
"""

import numpy as np
from numpy.typing import NDArray

from striate.tasks.answers import Answers

SURE = 0.9  # the least probability of another class that makes a label doubtful
TRUSTED = 0.95  # share of right answers among those of `SURE` or more, under which the model has no say
AS_OFTEN = 0.15  # how often wrong answers are `SURE` beside right ones, under which they are a model's own mistakes


def doubtful(answers: Answers, classes: int) -> NDArray[np.int64]:
    """The places of the images whose label is doubtful, the most doubtful first.

    An image's label is doubtful where the answer is another class, and its probability is at least `SURE` and at least
    what the images of that class themselves have on average. None is where such sure answers are often wrong,
    nor where few of the wrong answers are sure: a model that errs by itself does so at all probabilities, and seldom
    at the highest, while one that a label contradicts is as sure as ever.

    Args:
        answers: of N images that the model did not learn from.
        classes: how many there are.
    """
    sure, hits = answers.confidence >= SURE, answers.hits
    right, wrong = (sure & hits).sum(), (sure & ~hits).sum()
    if right < TRUSTED * (right + wrong) or wrong * hits.sum() < AS_OFTEN * right * (~hits).sum():
        return np.empty(0, np.int64)
    counts = np.bincount(answers.labels, minlength=classes)
    total = np.bincount(answers.labels, answers.truth, classes)
    usual = np.divide(total, counts, out=np.full(classes, np.inf), where=counts > 0)
    places = np.flatnonzero(sure & ~hits & (answers.confidence >= usual[answers.answers]))
    return places[np.argsort(answers.truth[places] - answers.confidence[places], kind="stable")]
