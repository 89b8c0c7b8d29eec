"""What several views of an image, or several models, gain over one, on the same images, and what they cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from striate.evaluation.intervals import Interval, Resampling
from striate.evaluation.paired import mean_difference, paired
from striate.evaluation.scores import Scored


@dataclass(frozen=True)
class Gain:
    """An evaluation beside a plainer one of the same images."""

    over: str
    """What the plainer one is."""

    score: Interval
    """Difference of the images' mean score, which is the accuracy where an answer is right or wrong; more is better."""

    loss: Interval
    """Difference of the mean loss; less is better. NaN where an answer is not one class."""

    times: float
    """How many times as long it took as the plainer one: the mean of them where they are several."""

    parameters: float
    """How many times as many parameters it has."""


def gain(scored: Scored, plain: Sequence[Scored], over: str, resampling: Resampling | None = None) -> Gain:
    """The gain over one plainer evaluation, or over the mean of several.

    Args:
        scored: of N images.
        plain: of the same images, at least one.
        over: what the plainer ones are.
        resampling: of these N images; each by itself unless given.

    Raises:
        ValueError: if the images differ.
    """
    for each in plain:
        if not np.array_equal(each.rows, scored.rows):
            raise ValueError("`plain`: expected evaluations of the same images; got others.")
    by = resampling or Resampling(len(scored.rows))
    scores, before = _scores(scored), np.mean([_scores(each) for each in plain], axis=0)
    if len(plain) == 1 and np.isin(np.concatenate([scores, before]), (0, 1)).all():
        difference = paired(before == 1, scores == 1, by).difference
    else:
        difference = mean_difference(before, scores, by)
    loss = Interval(math.nan, math.nan, math.nan)
    losses = [each.graded.loss for each in plain if each.graded is not None]
    if scored.graded is not None and losses:
        loss = mean_difference(np.mean(losses, axis=0), scored.graded.loss, by)
    seconds = float(np.mean([each.seconds for each in plain]))
    parameters = float(np.mean([_parameters(each) for each in plain]))
    return Gain(over, difference, loss, scored.seconds / seconds, _parameters(scored) / parameters)


def _scores(scored: Scored) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """(N,) of the images, of which one that nothing is known of counts as 0."""
    return np.nan_to_num(scored.model.task.record_scores(scored.records))


def _parameters(scored: Scored) -> int:
    return sum(parameter.numel() for parameter in scored.model.net.parameters())
