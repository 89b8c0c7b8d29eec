"""What the scores of all tasks mean, in words, and how they are written."""

import math
from dataclasses import dataclass

from striate.evaluation.intervals import Interval
from striate.report.charts import PERCENT, percent

ABBREVIATED = ("IoU", "F1")  # what is never written small
OF_CLASS = "iou_"  # before the name of a class, whose own overlap it is


@dataclass(frozen=True)
class About:
    """What a metric is called and what it means."""

    title: str
    meaning: str
    in_percent: bool = True
    """Whether it is written as a share of 100."""

    is_count: bool = False
    """Whether it is no score but a number of things."""

    @property
    def within(self) -> str:
        """The title within a line of text."""
        return self.title if self.title.startswith(ABBREVIATED) else self.title[:1].lower() + self.title[1:]


METRICS = {
    "accuracy": About("Accuracy", "share of images whose class is answered right"),
    "top5_accuracy": About("Top-5 accuracy", "share of images whose class is among the five most probable"),
    "mean_average_precision": About("Mean average precision", "mean over classes; 1 is perfect", in_percent=False),
    "f1": About("F1", "mean over classes of 2 right / (true + answered); 1 is perfect", in_percent=False),
    "mean_iou": About("Mean IoU", "overlap of answer and truth over their union; 1 is perfect", in_percent=False),
    "iou50": About("IoU of 0.5 or more", "share of boxes that overlap the true one by so much"),
    "iou50_95": About("IoU of 0.5 to 0.95", "mean share of boxes over ten such bounds"),
    "both": About("Class and box right", "share of images with the right class and an IoU of 0.5 or more"),
    "right_iou": About("IoU with the right class", "mean overlap, where a wrong class counts as 0", in_percent=False),
    "pixel_accuracy": About("Pixel accuracy", "share of pixels answered right"),
    "class_accuracy": About("Class accuracy", "mean over classes of the share of their pixels answered right"),
    "boundary_f1": About("Boundary F1", "how well outlines agree; 1 is perfect", in_percent=False),
    "boxes": About("Images with a box", "images that show an object", in_percent=False, is_count=True),
    "classes_scored": About("Classes scored", "that occur or are answered", in_percent=False, is_count=True),
    "loss": About("Loss", "mean negative log probability of the truth, in nats; 0 is perfect", in_percent=False),
}


def about(name: str) -> About:
    """What a metric means; of one that is not known here, its name."""
    if name.startswith(OF_CLASS):
        return About(f"IoU of {name.removeprefix(OF_CLASS)}", METRICS["mean_iou"].meaning, in_percent=False)
    return METRICS.get(name) or About(name.replace("_", " ").capitalize(), "", in_percent=False)


def rate(images_per_second: float) -> str:
    """A speed in words, to two digits where it is slow.

    >>> rate(0.456), rate(1234.5)
    ('0.46 images a second', '1,234 images a second')
    """
    digits = 0 if images_per_second >= 9.5 else 1 if images_per_second >= 0.95 else 2
    return f"{images_per_second:,.{digits}f} images a second"


def value(name: str, number: float) -> str:
    """A value of a metric, such as 95.4 % or 0.741; "unknown" where it is NaN."""
    if math.isnan(number):
        return "unknown"
    if about(name).is_count:
        return f"{number:,.0f}"
    return percent(number) if about(name).in_percent else f"{number:.3f}"


def bounds(name: str, interval: Interval) -> str:
    """The interval of a metric, such as 90.9 to 97.8 %; "" where there is none."""
    if math.isnan(interval.low):
        return ""
    low, high = value(name, interval.low), value(name, interval.high)
    return f"{low.removesuffix(PERCENT) if high.endswith(PERCENT) else low} to {high}"
