"""Learning-rate schedules as pure functions of the step, so that a resumed run needs no state for them."""

import math

from striate.recipe import TrainingRecipe


def lr_at(recipe: TrainingRecipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one step.

    All schedules rise in a straight line over the warm-up, from lr / warm-up steps to lr. Then: `cosine` falls as
    half a cosine, to 0 just after the last step, or as often as there are snapshots; `onecycle` falls so in a straight
    line; `step` falls by a factor at intervals; `constant` stays.

    Args:
        recipe: lr, schedule and its numbers.
        step: from 0, over the whole run.
        steps_per_epoch: at least 1.

    Source: cosine: Loshchilov and Hutter 2016, arXiv:1608.03983; one-cycle: Smith 2018, arXiv:1803.09820, with linear
        parts; snapshots: Huang et al. 2017, "Snapshot ensembles: train 1, get M for free", arXiv:1704.00109.
    """
    total = recipe.epochs * steps_per_epoch
    warmup = min(round(recipe.warmup_epochs * steps_per_epoch), total - 1)
    if step < warmup:
        return recipe.peak_lr * (step + 1) / warmup
    cycle = total // recipe.snapshots
    place = min(step // cycle, recipe.snapshots - 1) * cycle  # where the fall begins
    begin = place or warmup
    progress = (step - begin) / max(place + cycle - begin, 1)  # 0 after the warm-up, just below 1 at the last step
    match recipe.schedule:
        case "cosine":
            return recipe.peak_lr * (1 + math.cos(math.pi * progress)) / 2
        case "onecycle":
            return recipe.peak_lr * (1 - progress)
        case "step":
            falls = int((step - warmup) / (recipe.step_epochs * steps_per_epoch))
            return recipe.peak_lr * recipe.step_factor**falls
        case "constant":
            return recipe.peak_lr
