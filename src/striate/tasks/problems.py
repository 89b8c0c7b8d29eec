"""What the layers of a head are fitted to, where a fit takes the place of training."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class HeadProblem:
    """What a head that is fitted in closed form, or nearly so, is fitted to."""

    labels: Tensor
    """(N,) class numbers; or (N, classes) of 0 and 1, where an image may have several."""

    class_weight: Tensor | None
    """(classes,) the weight of each class in the loss; of several labels, that of a yes against a no."""

    label_smoothing: float | None
    """The smoothing of the loss with which training would go on from the head; None for none."""


@dataclass(frozen=True)
class ValueProblem:
    """What a layer of numbers, such as a box, is fitted to by least squares."""

    values: tuple[Tensor, ...]
    """(N, K) for each view of the images, that of evaluation first; NaN where an image has none."""
