"""Scores of classification with localisation, from one record an image.

An image's record is the network's logits, its box, the true class and the true box, so that any number of processes
can make records and one can score them. Definitions: IoU of the ImageNet localisation challenge (Russakovsky et al.
2014, arXiv:1409.0575, sec. 4.2, correct from 0.5 on); the thresholds 0.50, 0.55, …, 0.95 of COCO.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from striate.tasks.bootstrap import Groups, interval, share_interval
from striate.tasks.locate_boxes import iou, ordered

THRESHOLDS = tuple(0.5 + 0.05 * i for i in range(10))
OF_BOXES = ("mean_iou", "iou50", "iou50_95")  # the scores of boxes alone
BOUNDED = (*OF_BOXES, "accuracy", "both", "right_iou")  # the scores that have an interval
SHARES = ("iou50", "accuracy", "both")  # those of them that are a share of the images


@dataclass(frozen=True)
class Records:
    """What is known of each image, taken apart."""

    logits: Tensor
    """(N, classes)."""

    boxes: Tensor
    """(N, 4): the box of the class answered, in shares of the image."""

    labels: Tensor
    """(N,) true class numbers."""

    truth: Tensor
    """(N, 4): the true box, NaN where there is none."""

    @staticmethod
    def width(classes: int) -> int:
        """Numbers in one image's record."""
        return classes + 4 + 1 + 1 + 4

    def packed(self) -> Tensor:
        """(N, width), float32 and finite: one row an image."""
        known = self.truth.isfinite().all(dim=1, keepdim=True)
        parts = (self.logits, self.boxes, self.labels[:, None], known, torch.where(known, self.truth, 0.0))
        return torch.cat([part.float() for part in parts], dim=1)

    @staticmethod
    def unpack(records: Tensor, classes: int) -> "Records":
        """What `packed` made one tensor of."""
        logits, boxes, label, known, truth = records.double().split((classes, 4, 1, 1, 4), dim=1)
        return Records(logits, boxes, label[:, 0].long(), torch.where(known > 0, truth, torch.nan))


def scores(records: Records, groups: Groups | None = None) -> dict[str, float]:
    """Scores over a set of images, by name; each of `BOUNDED` comes with its 95 % interval, `_low` and `_high`.

    `mean_iou` is the mean overlap of the boxes, whatever the class answered; `iou50` the share of boxes with an IoU of
    at least 0.5, and `iou50_95` the mean of that share over ten thresholds from 0.5 to 0.95. `accuracy` is the share
    of classes answered right, `both` that of images with the class right and an IoU of at least 0.5, and `right_iou`
    the mean overlap where a wrong class counts as none; in these two, an image without an object is right where its
    class is. Scores of boxes alone are over the images that have one, of which `boxes` is the number where it is not
    all, and left out where none has. `loss` is the mean cross-entropy of the classes. Of a single class, whose answers
    are right whatever they say, there are the scores of boxes alone. The intervals of `SHARES` are Wilson's, the
    others by bootstrap, as all are where there are groups.

    Args:
        records: of at least one image.
        groups: as in `striate.tasks.bootstrap.interval`.
    """
    right, counted, overlaps = _compared(records)
    hit = overlaps[:, None] >= np.array(THRESHOLDS) - 1e-6  # what float32 boxes are sure of
    both = right * np.where(counted > 0, hit[:, 0], 1.0)
    ones = np.ones_like(right)
    of_boxes, of_images = (
        (overlaps, counted * hit[:, 0], counted * hit.mean(axis=1)),
        (right, both, right_overlaps(records)),
    )
    sums = np.stack([counted, ones, *of_boxes, *of_images], axis=1)
    values = _scores(sums.sum(axis=0)[None])[0]
    low, high = interval(sums, _scores, groups)
    for name, hits, of in (("iou50", of_boxes[1], counted), ("accuracy", right, ones), ("both", both, ones)):
        place = BOUNDED.index(name)
        low[place], high[place] = share_interval(hits, of, groups)
    one_class = records.logits.shape[1] == 1
    found: dict[str, float] = {"count": len(right)}
    if not counted.all():
        found["boxes"] = int(counted.sum())
    for i, name in enumerate(OF_BOXES if one_class else BOUNDED):
        if not np.isnan(values[i]):
            found |= {name: float(values[i]), f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
    return found | ({} if one_class else {"loss": float(cross_entropy(records.logits, records.labels))})


def right_overlaps(records: Records) -> NDArray[np.float64]:
    """(N,) the overlap of each box, 0 where the class is wrong; where there is none, whether the class is right."""
    right, counted, overlaps = _compared(records)
    return right * np.where(counted > 0, overlaps, 1.0)


def _compared(records: Records) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(N,) each: whether the class is right, whether there is a box, and how far the answered one overlaps it, or 0."""
    right = (records.logits.argmax(dim=1) == records.labels).numpy().astype(np.float64)
    known = records.truth.isfinite().all(dim=1)
    overlaps = torch.where(known, iou(ordered(records.boxes), records.truth), 0.0).numpy()
    return right, known.numpy().astype(np.float64), overlaps


def _scores(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 6) `BOUNDED` of sums (B, 8); NaN where a set has no box."""
    boxes, images = sums[:, :1], sums[:, 1:2]
    of_boxes = np.divide(sums[:, 2:5], boxes, out=np.full_like(sums[:, 2:5], np.nan), where=boxes > 0)
    return np.concatenate([of_boxes, sums[:, 5:] / images], axis=1)


def line(metrics: Mapping[str, float]) -> str:
    """What the console says of `scores`: the overlap and the shares."""

    def with_interval(name: str, text: str) -> str:
        if name not in metrics:
            return f"{text}: no image has a box"
        return f"{text} {metrics[name]:.4f} [{metrics[f'{name}_low']:.4f}, {metrics[f'{name}_high']:.4f}]"

    parts = [with_interval("mean_iou", "mean IoU"), with_interval("iou50", "IoU of 0.5 or more")]
    if "accuracy" in metrics:
        parts += [f"accuracy {metrics['accuracy']:.4f}", f"both right {metrics['both']:.4f}"]
    return ", ".join(parts)
