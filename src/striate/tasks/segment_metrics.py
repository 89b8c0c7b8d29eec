"""Scores of semantic segmentation, from one record an image.

An image's record holds, for each class, pixels that are right, true and answered, and how well the outlines agree, so
that any number of processes can make records and one can score them. All scores follow from their sums: one confusion
over the data set, as PASCAL VOC and Cityscapes count it, and not a mean of each image's own.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from striate.augment.resample import IGNORED
from striate.tasks.bootstrap import Groups, interval

Mask = NDArray[np.uint8]  # (H, W) class numbers
Values = NDArray[np.float64]

TOLERANCE = 0.0075  # of the image's diagonal: how far apart two outlines may lie and agree (Csurka et al. 2013, sec. 5)
PER_CLASS = 5  # sums of each class: right, true and answered pixels; F1 of outlines; images that this is of
MEANS = ("mean_iou", "pixel_accuracy", "class_accuracy", "boundary_f1")  # the scores that have an interval


def width(classes: int) -> int:
    """Numbers in one image's record: five a class, then the pixels that count and the sum of their losses."""
    return PER_CLASS * classes + 2


def record(answer: Mask, truth: Mask, classes: int, loss: float) -> Values:
    """(width,) what one image adds to the sums.

    Args:
        answer: (H, W) class numbers.
        truth: (H, W) class numbers, 255 where a pixel counts for nothing.
        classes: how many.
        loss: sum of the losses of the pixels that count.
    """
    counts = truth != IGNORED
    t, a = truth[counts].astype(np.int64), answer[counts].astype(np.int64)
    right = np.bincount(t[t == a], minlength=classes)
    true, answered = np.bincount(t, minlength=classes), np.bincount(a, minlength=classes)
    outlines = boundary_f1(answer, truth, classes)
    known = ~np.isnan(outlines)
    return np.concatenate([right, true, answered, np.nan_to_num(outlines), known, [len(t), loss]]).astype(np.float64)


def boundary_f1(answer: Mask, truth: Mask, classes: int) -> Values:
    """(classes,) F1 of each class's outline, NaN where the class has none in either mask.

    A pixel belongs to an outline where one of its four neighbours is of another class; the image's own border and
    pixels that count for nothing make no outline. Precision is the share of the answered outline that lies within
    `TOLERANCE` of the true one, recall that of the true outline near the answered one.

    Source: Csurka, Larlus, Perronnin 2013, "What is a good evaluation measure for semantic segmentation?", sec. 3.

    Args:
        answer: (H, W) class numbers.
        truth: (H, W) class numbers, 255 where a pixel counts for nothing.
        classes: how many.
    """
    answer = np.where(truth == IGNORED, truth, answer)
    reach = TOLERANCE * float(np.hypot(*truth.shape))
    edges = _outline(answer), _outline(truth)
    scores = np.full(classes, np.nan)
    for number in range(classes):
        ours, theirs = edges[0] & (answer == number), edges[1] & (truth == number)
        if ours.any() and theirs.any():
            precision, recall = _near(ours, theirs, reach), _near(theirs, ours, reach)
            scores[number] = 2 * precision * recall / max(precision + recall, np.finfo(np.float64).tiny)
        elif ours.any() or theirs.any():
            scores[number] = 0.0
    return scores


def _outline(mask: Mask) -> NDArray[np.bool_]:
    """(H, W) which pixels have a neighbour of another class."""
    edge = np.zeros(mask.shape, np.bool_)
    known = mask != IGNORED
    for first, second in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        differs = (mask[first] != mask[second]) & known[first] & known[second]
        edge[first] |= differs
        edge[second] |= differs
    return edge


def _near(outline: NDArray[np.bool_], other: NDArray[np.bool_], reach: float) -> float:
    """Share of an outline's pixels that lie within `reach` of another's; neither is empty."""
    distance = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[outline] <= reach).mean())


def scores(records: Values, classes: tuple[str, ...], groups: Groups | None = None) -> dict[str, float]:
    """Scores over a set of images, by name, each with its 95 % interval, `_low` and `_high`.

    `mean_iou` is the mean over classes of intersection over union; `class_accuracy` that of the share of each class's
    pixels answered right; `pixel_accuracy` the share of all pixels. A class that neither occurs nor is answered has an
    IoU of NaN, and is left out of the mean: `classes_scored` says how many are in it. `boundary_f1` is the mean over
    classes of the mean over images of the F1 of outlines. `iou_NAME` is each class's own, `loss` the mean
    cross-entropy of a pixel.

    Args:
        records: (N, width), N >= 1.
        classes: names, by class number.
        groups: as in `striate.tasks.bootstrap.interval`.
    """
    total = records.sum(axis=0)[None]
    values, (low, high) = _all(total, len(classes))[0], interval(records, lambda sums: _all(sums, len(classes)), groups)
    found: dict[str, float] = {"count": len(records)}
    for i, name in enumerate((*MEANS, "loss", *(f"iou_{name}" for name in classes))):
        found |= {name: float(values[i]), f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
    return found | {"classes_scored": int((~np.isnan(class_ious(total, len(classes)))).sum())}


def _all(sums: Values, classes: int) -> Values:
    """(B, 4 + 1 + classes) `MEANS`, the loss and each class's IoU of sums (B, width)."""
    loss = sums[:, -1:] / np.maximum(sums[:, -2:-1], 1.0)
    return np.concatenate([_means(sums, classes), loss, class_ious(sums, classes)], axis=1)


def class_ious(sums: Values, classes: int) -> Values:
    """(B, classes) intersection over union of each class, NaN where it neither occurs nor is answered."""
    right, true, answered, *_ = np.split(sums[:, : PER_CLASS * classes], PER_CLASS, axis=1)
    return _ratio(right, true + answered - right)


def _means(sums: Values, classes: int) -> Values:
    """(B, 4) `MEANS` of sums (B, width)."""
    right, true, _, outlines, images = np.split(sums[:, : PER_CLASS * classes], PER_CLASS, axis=1)
    of_classes = class_ious(sums, classes), _ratio(right, true), _ratio(outlines, images)
    iou, accuracy, boundary = (_mean_of_known(values) for values in of_classes)
    pixels = _ratio(right.sum(axis=1), true.sum(axis=1))
    return np.stack([iou, pixels, accuracy, boundary], axis=1)


def _ratio(part: Values, whole: Values) -> Values:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _mean_of_known(values: Values) -> Values:
    """(B,) mean of each row of (B, classes) over what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    return _ratio(np.nan_to_num(values).sum(axis=1), known.sum(axis=1).astype(np.float64))
