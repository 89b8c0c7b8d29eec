"""What a run would take where nothing can be judged beforehand: tasks whose heads are not fitted to features."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import nn

from striate.data import Index, Preprocessing
from striate.device import Machine
from striate.plan.cost import Choice, Rates, choices, counted, measured
from striate.plan.recommend import span
from striate.recipe import Recipe
from striate.training.freeze import frozen_stages


@dataclass(frozen=True)
class Price:
    """Each value of `--freeze` with its cost, and no recommendation."""

    freeze: str
    """What the recipe freezes."""

    sentence: str
    """What the run would take."""

    images: int
    """Of the training split."""

    choices: tuple[Choice, ...]
    """From all frozen to none."""

    rates: Rates

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def price(
    index: Index,
    net: nn.Module,
    preprocessing: Preprocessing,
    machine: Machine,
    recipe: Recipe,
    *,
    fits_to_features: bool,
) -> Price:
    """Says what training would take, by what is frozen.

    Args:
        index: split; a few of its training images are decoded, run and trained on.
        net: that answers the task; it stays as it is.
        preprocessing: of the images.
        machine: that the work will be done on.
        recipe: resolved, for these weights.
        fits_to_features: whether what frozen stages give is computed once, and a head fitted to it where all is frozen.

    Raises:
        DataError: a training image can no longer be read.
        UsageError: the network cannot be followed.
    """
    stages: Sequence[str] = frozen_stages(net, "all")
    rows, parts = index.rows("train"), counted(net, stages, preprocessing.input_size)
    rates = measured(index, rows, net, stages, parts, preprocessing, machine, recipe)
    if not fits_to_features:
        recipe = replace(recipe, transfer=replace(recipe.transfer, views=0))
    costs = choices(stages, parts, rates, recipe, len(rows), head_is_fitted=fits_to_features)
    freeze = recipe.transfer.freeze or "all"
    frozen = len(frozen_stages(net, freeze))
    chosen = tuple(reversed(costs))[frozen]
    epochs = "" if chosen.freeze == "all" and fits_to_features else f" and {recipe.training.epochs} epochs"
    return Price(
        freeze=freeze,
        sentence=f"--freeze {freeze} takes about {span(chosen.seconds)} for {len(rows):,} images{epochs}; how good it "
        f"becomes, the task {recipe.network.task} can only tell by training.",
        images=len(rows),
        choices=costs,
        rates=rates,
    )
