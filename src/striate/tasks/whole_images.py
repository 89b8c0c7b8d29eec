"""What tasks that answer with places in an image ask of a recipe: images that are shown whole, and not mixed."""

from dataclasses import replace

from striate.errors import UsageError
from striate.recipe import Recipe

MIXED = ("mixup", "cutmix")  # what makes one image of two


def unmixed_and_whole(recipe: Recipe, task: str, why: str) -> Recipe:
    """The recipe with all of each image shown, unless it says otherwise, and no two images mixed.

    Args:
        recipe: what the user asks for.
        task: the task's name, for the error.
        why: what its images cannot share, as in "images show one object".

    Raises:
        UsageError: if the recipe asks for images to be mixed.
    """
    data, augment = recipe.data, recipe.augment
    for name in MIXED:
        if value := getattr(augment, name):
            raise UsageError(f"`{name}`: expected 0 with the task {task}, whose {why}; got {value}. Try without it.")
    return replace(
        recipe,
        data=replace(data, crop_mode=data.crop_mode or "squash", crop_pct=data.crop_pct or 1.0),
        augment=replace(augment, mixup=0.0, cutmix=0.0),
    )


def frozen_without_plan(recipe: Recipe, freeze: str) -> Recipe:
    """The recipe with so much frozen where it leaves that open, or to a plan, which needs a head that these lack."""
    given = recipe.transfer.freeze
    return replace(recipe, transfer=replace(recipe.transfer, freeze=freeze if given in (None, "auto") else given))
