"""Scores of images that may have several labels each: means over the classes that occur."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from striate.tasks.bootstrap import SEED, Groups, Values, interval
from striate.tasks.wilson import CONFIDENCE

DRAWS = 400  # for the interval of the average precision, each of which sorts nothing but adds up all images
AT_A_TIME = 1 << 22  # weights of images in the memory together


def scores(logits: Tensor, labels: Tensor, groups: Groups | None = None) -> dict[str, float]:
    """`loss`, `mean_average_precision` and `f1`, each with its 95 % interval by bootstrap.

    Args:
        logits: (N, classes), N >= 1.
        labels: (N, classes) of 0 and 1.
        groups: as in `striate.tasks.bootstrap.interval`.
    """
    from sklearn.metrics import average_precision_score

    loss = binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1).double().numpy()
    occurs = (labels.sum(dim=0) > 0).numpy()
    truth, values = labels.numpy()[:, occurs].astype(np.float64), logits.numpy()[:, occurs].astype(np.float64)
    answers = (values > 0).astype(np.float64)
    sums = np.concatenate([(truth * answers), truth + answers, loss[:, None], np.ones((len(loss), 1))], axis=1)
    found = {}
    (of_f1, of_loss), (low, high) = _of_sums(sums.sum(axis=0)[None])[0], interval(sums, _of_sums, groups)
    found["loss"], found["loss_low"], found["loss_high"] = of_loss, low[1], high[1]
    if not occurs.any():
        return {name: float(value) for name, value in found.items()} | {"mean_average_precision": 0.0, "f1": 0.0}
    found["mean_average_precision"] = average_precision_score(truth, values)
    drawn = _drawn_precisions(truth, values, groups)
    tail = (1 - CONFIDENCE) / 2
    bounds = np.nanquantile(drawn, (tail, 1 - tail))
    found["mean_average_precision_low"] = min(bounds[0], found["mean_average_precision"])
    found["mean_average_precision_high"] = max(bounds[1], found["mean_average_precision"])
    found["f1"], found["f1_low"], found["f1_high"] = of_f1, min(low[0], of_f1), max(high[0], of_f1)
    return {name: float(value) for name, value in found.items()}


def _of_sums(sums: Values) -> Values:
    """(B, 2): the mean F1 of the classes and the mean loss, of sums (B, 2 * classes + 2) over sets of images."""
    right, both = np.split(sums[:, :-2], 2, axis=1)
    each = np.divide(2 * right, both, out=np.zeros_like(right), where=both > 0)
    f1 = each.mean(axis=1) if each.shape[1] else np.zeros(len(sums))
    return np.stack([f1, sums[:, -2] / sums[:, -1]], axis=1)


def _drawn_precisions(truth: Values, values: Values, groups: Groups | None) -> Values:
    """(DRAWS,) the mean average precision of images, or whole groups of them, that are drawn with replacement.

    A class that no image of a draw has is left out of that draw's mean.
    """
    group: NDArray[np.int64] = np.arange(len(truth)) if groups is None else groups
    count, order = int(group.max()) + 1, np.argsort(-values, axis=0, kind="stable")
    rng = np.random.Generator(np.random.Philox(SEED))
    means = []
    for start in range(0, DRAWS, step := max(AT_A_TIME // len(truth), 1)):
        sets = min(step, DRAWS - start)
        drawn = rng.integers(count, size=(sets, count)) + np.arange(sets)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=sets * count).reshape(sets, count)[:, group].astype(np.float64)
        each = np.full((sets, truth.shape[1]), np.nan)
        for k in range(truth.shape[1]):
            weights, positive = times[:, order[:, k]], truth[order[:, k], k]
            hits = np.cumsum(weights * positive, axis=1)
            precision = hits / np.maximum(np.cumsum(weights, axis=1), 1)
            total = hits[:, -1]
            np.divide((precision * weights * positive).sum(axis=1), total, out=each[:, k], where=total > 0)
        known = ~np.isnan(each)
        means.append(
            np.where(known.any(axis=1), np.nan_to_num(each).sum(axis=1), np.nan) / np.maximum(known.sum(axis=1), 1)
        )
    return np.concatenate(means)
