"""Whether a map means anything: does the answer depend on the places it marks, and the map on the weights?

Deletion removes places from the image, those that the map marks most first, and insertion brings them back into a
blurred image: a map that is right makes the probability of the class fall and rise fast. Both are compared with random
maps of the same coarseness. Of a model of a single class, the overlap with the box of the whole image takes the place
of the probability. A map that looks the same after every weight was shuffled shows the image, not the model.

Source: Petsiuk, Das and Saenko 2018, "RISE", arXiv:1806.07421, for deletion and insertion; Adebayo et al. 2018, "Sanity
checks for saliency maps", arXiv:1810.03292, for the shuffled weights.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from striate.explain.activation import Explanation, resized
from striate.explain.capture import has_one_class, likeness_to, pixels, probabilities_of
from striate.model import Model
from striate.tasks.wilson import CONFIDENCE

STEPS = 8  # at which a part of the places is taken away or brought back
RANDOM_MAPS = 4  # an image
COARSE = 7  # places a side of a random map, where the map itself has no coarse form
LIKE = 0.5  # rank correlation of two maps from which on they look the same

Explain = Callable[[Model, Tensor, list[int]], Explanation]
"""Maps of some classes of images; such as `activation_maps`."""


@dataclass(frozen=True)
class Faithfulness:
    """The scores of N maps beside those of random maps, and of the same maps with shuffled weights."""

    deletion: NDArray[np.float64]
    """(N,) mean probability of the class while the places that the map marks are removed; smaller is better."""

    insertion: NDArray[np.float64]
    """(N,) mean probability of the class while they are brought back; larger is better."""

    random_deletion: NDArray[np.float64]
    """(N, random maps)."""

    random_insertion: NDArray[np.float64]
    """(N, random maps)."""

    likeness: float
    """Mean rank correlation of each map with that of the same class after every weight was shuffled."""

    @property
    def gain(self) -> float:
        """By how much insertion less deletion exceeds that of random maps, on average."""
        return float((self.insertion - self.deletion).mean() - (self.random_insertion - self.random_deletion).mean())

    @property
    def p(self) -> float:
        """How often random maps would gain as much: of a one-sided t-test with the spread of random maps."""
        from scipy.stats import t

        spread = self.random_insertion - self.random_deletion
        count, maps = spread.shape
        freedom = count * (maps - 1)
        error = np.sqrt(spread.var(axis=1, ddof=1).mean() * (1 / count + 1 / (count * maps)))
        return float(t.sf(self.gain / error, freedom)) if error > 0 else float(self.gain <= 0)

    @property
    def points(self) -> bool:
        """Whether the answer depends on the places that the maps mark, more than on random places."""
        return self.p < 1 - CONFIDENCE

    @property
    def depends(self) -> bool:
        """Whether the maps depend on the weights."""
        return abs(self.likeness) < LIKE

    def sentence(self) -> str:
        """What can be said of the maps."""
        scores = (
            f"deletion {self.deletion.mean():.2f} (random places {self.random_deletion.mean():.2f}), "
            f"insertion {self.insertion.mean():.2f} (random places {self.random_insertion.mean():.2f}), "
            f"rank correlation with shuffled weights {self.likeness:.2f}"
        )
        if not self.depends:
            verdict = "The maps look much the same with shuffled weights: they show the images, not what was learned."
        elif not self.points:
            verdict = "The marked places matter no more to the answer than random ones: do not trust these maps."
        else:
            verdict = "The answers depend on the marked places, and the maps on the weights."
        images = "1 image" if len(self.deletion) == 1 else f"{len(self.deletion)} images"
        return f"{verdict} Over {images}: {scores}."


def faithfulness(model: Model, explanation: Explanation, explain: Explain, *, batch_size: int = 64) -> Faithfulness:
    """Checks maps by deletion, insertion and shuffled weights.

    Args:
        model: its weights and mode stay as they are.
        explanation: maps of N images, N >= 1.
        explain: made them, and makes those with shuffled weights.
        batch_size: changed images at a time.
    """
    images = torch.from_numpy(explanation.images)
    inputs = pixels(images, model.preprocessing, model.machine)
    draw = torch.Generator().manual_seed(0)
    size = (COARSE, COARSE) if explanation.coarse is None else explanation.coarse.shape[1:]
    scores = np.empty((len(images), 1 + RANDOM_MAPS, 2))
    for row, number in enumerate(explanation.classes.tolist()):
        noise = resized(torch.rand(RANDOM_MAPS, *size, generator=draw), images.shape[1:3])
        maps = torch.cat([torch.from_numpy(explanation.maps[row])[None], noise])
        scores[row] = _deleted_and_inserted(model, inputs[row : row + 1], maps, number, batch_size)
    shuffled = explain(with_shuffled_weights(model), images, explanation.classes.tolist())
    likeness = [rank_correlation(*pair) for pair in zip(_coarse(explanation), _coarse(shuffled), strict=True)]
    return Faithfulness(
        deletion=scores[:, 0, 0],
        insertion=scores[:, 0, 1],
        random_deletion=scores[:, 1:, 0],
        random_insertion=scores[:, 1:, 1],
        likeness=float(np.mean(likeness)),
    )


def _coarse(explanation: Explanation) -> NDArray[np.float32]:
    return explanation.maps if explanation.coarse is None else explanation.coarse


def _deleted_and_inserted(
    model: Model, image: Tensor, maps: Tensor, number: int, batch_size: int
) -> NDArray[np.float64]:
    """(maps, 2) the mean probability of a class over the steps of deletion and of insertion."""
    count, (height, width) = len(maps), image.shape[2:]
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    ranks = torch.empty_like(order).scatter_(1, order, torch.arange(height * width).expand(count, -1))
    shares = torch.arange(1, STEPS + 1) / (STEPS + 1)
    marked = (ranks[:, None] < (shares * height * width)[:, None]).view(count, STEPS, 1, height, width)
    marked = marked.flatten(0, 1).to(image.device)
    side = (max(min(height, width) // 4, 1) // 2) * 2 + 1
    blurred = avg_pool2d(image, side, stride=1, padding=side // 2, count_include_pad=False)
    found = []
    score = likeness_to(model, image) if has_one_class(model) else partial(_probability, model, number)
    for start in range(0, len(marked), batch_size):
        some = marked[start : start + batch_size]
        deleted, inserted = torch.where(some, 0.0, image), torch.where(some, image, blurred)
        both = [score(model.machine.images(changed)) for changed in (deleted, inserted)]
        found.append(torch.stack(both, dim=1))
    return np.asarray(torch.cat(found).view(count, STEPS, 2).mean(dim=1).numpy(), np.float64)


def _probability(model: Model, number: int, inputs: Tensor) -> Tensor:
    """(N,) the probability of a class for inputs (N, C, H, W), on the CPU."""
    return probabilities_of(model, inputs, len(inputs))[:, number]


def with_shuffled_weights(model: Model) -> Model:
    """A copy of a model in which the values of every weight tensor are in random order; statistics stay in place."""
    net: nn.Module = copy.deepcopy(model.net)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            order = torch.randperm(parameter.numel(), generator=draw).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view(parameter.shape))
    return replace(model, net=net)


def rank_correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of two maps; 0 where one is the same everywhere."""
    from scipy.stats import rankdata

    first, second = rankdata(a), rankdata(b)
    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / size) if size else 0.0
