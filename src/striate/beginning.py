"""What a run begins with where its recipe leaves it open: published weights for photographs, or drawn values.

A network that begins with drawn values is shown images no larger than they are, and scans of signs as they are.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from striate.data import Index, IndexedImages, OpenedImage, UnreadableError
from striate.data.image_formats import GREY_MODES
from striate.errors import UsageError
from striate.nets import arguments_of, encoder_name
from striate.recipe import AUTO_WEIGHTS, NO_WEIGHTS, Recipe
from striate.recipe.size import height_and_width, written
from striate.tasks import settled
from striate.weights import Manifest, hint, is_here, named, published

EMBEDDED = "efficientnet_lite0"  # the network whose weights an installation brings
LEAST_SIDE = 64  # pixels: of anything smaller, the last maps of a network for photographs show next to nothing
PHOTOGRAPHS = f"the images are stored in colour with {LEAST_SIDE} pixels or more, as photographs are"
SMALL = "resnet20_cifar"  # the network for images of fewer pixels than that
FULL_SIDE = 224  # pixels: what the default network was published for
LOOKED_AT = 64  # images: enough to know what most of them are
LONG, LONGEST = 2.5, 10.0  # times the other side: from where on, and up to where, images are shown in their shape
STEP = 16  # pixels, of which sides of photographs are multiples
FOR_COLOUR = ", and published weights are for colour"
SMALLEST_TRIED = 32  # pixels: of anything smaller, it was not measured what published weights give
GAINED_BY_SMALL = "on 2,000 of 32 pixels it gave 0.77 in place of 0.49"  # benchmarks/small_photos.py, cifar10
GAINED_BY_GREY = "on 244 of 96 pixels it gave 0.89 in place of 0.61"  # likewise, grey hymenoptera
GREY_RANGE = 4  # of 255: how far red, green and blue of grey may lie apart, as rounding of a JPEG leaves them


@dataclass(frozen=True)
class Beginning:
    """A recipe whose task and weights are named, and how the weights were chosen."""

    recipe: Recipe
    said: tuple[str, ...] = ()
    """A sentence each on the weights, the channels, the network and its size, and augmentation, where the recipe left
    them open."""

    @property
    def why_drawn(self) -> str:
        """The sentence of why there are no weights; "" where the recipe itself asks for none."""
        return next((sentence for sentence in self.said if sentence.startswith("weights: none")), "")


def beginning(recipe: Recipe, index: Index) -> Beginning:
    """Settles what a run begins with.

    Args:
        recipe: whose `weights` may be auto: for photographs those of its network, where they are on this machine, or of
            the network that an installation brings; else none.
        index: of the data.

    Raises:
        UsageError: nothing suits, but the recipe says how much of some weights to keep.
    """
    recipe = settled(recipe, index)
    seen = _seen(recipe, index)
    recipe, of_bands = _to_bands(recipe, seen)
    if recipe.transfer.weights == NO_WEIGHTS:
        recipe, said = _to_images(recipe, seen)
        return Beginning(recipe, of_bands + said)
    if recipe.transfer.weights != AUTO_WEIGHTS:
        return Beginning(recipe, of_bands)
    manifest, why_not = None, _why_drawn(recipe) or _why_no_photographs(seen)
    if not why_not:
        manifest, why_not = _weights_of(recipe)
    if manifest is None:
        _require_nothing_kept(recipe, why_not)
        why_not += _better_off(recipe, seen)
        recipe, said = _to_images(recipe, seen)
        none = replace(recipe, transfer=replace(recipe.transfer, weights=NO_WEIGHTS))
        why = f"weights: none, {recipe.network.name} trains from scratch: {why_not}."
        return Beginning(none, (*of_bands, why, *said))
    transfer = replace(recipe.transfer, weights=manifest.name, freeze=recipe.transfer.freeze or "auto")
    why = f"weights: {manifest.name}, because {PHOTOGRAPHS}; `--weights none` trains from scratch."
    recipe, of_shape = _to_long_photographs(recipe, seen) if manifest.arch == EMBEDDED else (recipe, ())
    return Beginning(replace(recipe, transfer=transfer), (why, *of_shape))


@dataclass(frozen=True)
class _Seen:
    """What the headers of some images show."""

    sizes: list[tuple[int, int]]
    """Widths and heights."""

    grey: bool
    """Whether most are."""

    bands: int | None
    """Of most images; None where there are none."""

    @property
    def side(self) -> float:
        """The median of the short sides, in pixels."""
        return median(min(size) for size in self.sizes)

    @property
    def width_to_height(self) -> float:
        """The median, of which that of images as high as others are wide is the inverse."""
        return math.exp(median(math.log(width / height) for width, height in self.sizes))

    @property
    def in_the_median(self) -> str:
        """What follows `side` in a sentence, where short sides differ."""
        return " in the median" if len({min(size) for size in self.sizes}) > 1 else ""

    @property
    def signs(self) -> bool:
        """Whether these are small grey scans, as of digits and letters, which a mirror makes into others."""
        return bool(self.sizes) and self.grey and self.side < LEAST_SIDE


def _seen(recipe: Recipe, index: Index) -> _Seen:
    """What some images show, without those that cannot be read."""
    sizes, grey, bands = [], 0, Counter[int | None]()
    for image in _some(index, recipe.data.max_pixels):
        with suppress(UnreadableError):
            bands[image.bands] += 1
            grey += _is_grey(image)
            sizes.append(image.size)
    most = bands.most_common(1)[0][0] if bands else None
    return _Seen(sizes, grey * 2 > len(sizes), most)


def _is_grey(image: OpenedImage) -> bool:
    """Whether an image is grey: stored so, or small, as of digits, and without colours in a file of colours.

    Raises:
        UnreadableError: if it cannot be read.
    """
    if image.pillow.mode in GREY_MODES:
        return True
    if min(image.size) >= LEAST_SIDE:  # which begins with published weights, stored as they expect it
        return False
    pixels = image.decode(1, 3, image.own_levels)  # (H, W, 3)
    return int(np.ptp(pixels, axis=-1).max()) <= GREY_RANGE


def _to_bands(recipe: Recipe, seen: _Seen) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with as many channels as images have bands, where these are no colours and it leaves them open."""
    if recipe.data.in_channels is not None or seen.bands in (None, 1, 3):
        return recipe, ()
    said = f"channels: {seen.bands}, as many as the images have bands; --in-channels overrules."
    return replace(recipe, data=replace(recipe.data, in_channels=seen.bands)), (said,)


def _to_long_photographs(recipe: Recipe, seen: _Seen) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe with a size of the shape of long photographs, and as many pixels as else, where it leaves that open.

    A square crop shows a third of images that are three times as wide as high. Source: benchmarks/long_photos.py, by
    which views of 8:1 and 3:1 are told with an accuracy of 0.66 and 0.88 in their shape, and of 0.48 and 0.83 in it.
    """
    ratio = _long_ratio(recipe, seen)
    if ratio is None:
        return recipe, ()
    height, width = (STEP * round(FULL_SIDE * factor / STEP) for factor in (ratio**-0.5, ratio**0.5))
    size = written(height, width)
    own = seen.width_to_height
    longer = f"{own:.1f} times as wide as high" if own > 1 else f"{1 / own:.1f} times as high as wide"
    said = (
        f"size: {size} pixels, because the images are {longer}, of which a square shows little; --img-size overrules."
    )
    return replace(recipe, data=replace(recipe.data, img_size=size)), (said,)


def _long_ratio(recipe: Recipe, seen: _Seen) -> float | None:
    """Width to height of what is to be shown of long images; None of others, and where the recipe says what is."""
    if recipe.data.img_size is not None or recipe.data.crop_mode != "center" or not seen.sizes:
        return None
    ratio = min(max(seen.width_to_height, 1 / LONGEST), LONGEST)
    return ratio if max(ratio, 1 / ratio) >= LONG else None


def _to_images(recipe: Recipe, seen: _Seen) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a network from scratch with a size, a network and a preset that suit the images, and what was said.

    What the recipe gives itself stays.
    """
    said = []
    data, network = recipe.data, recipe.network
    long = _long_ratio(recipe, seen)
    is_small = bool(seen.sizes) and (seen.side < FULL_SIDE or long is not None)
    if not (network.model or network.whiten or data.img_size is not None) and is_small:
        size, whose = _common_size(seen, long)
        network = replace(network, model=SMALL if seen.side < LEAST_SIDE else network.name)
        data = replace(data, img_size=size, crop_pct=data.crop_pct or 1.0)
        said += [f"network: {network.model} at {size} pixels, {whose}; --model and --img-size overrule."]
    augment = recipe.augment
    if augment.augment is None and not augment.trivial and seen.signs:
        augment = replace(augment, augment="none")
        said += ["augmentation: none, for digits and the like mean something else in a mirror; --augment overrules."]
    return replace(recipe, network=network, data=data, augment=augment), tuple(said)


def _common_size(seen: _Seen, long: float | None) -> tuple[int | str, str]:
    """The size that most images have, where that is not too large, else the median of their short sides; and a word.

    Args:
        seen: of one image at least.
        long: width to height of long images, of which a square would show little.
    """
    [((width, height), count)] = Counter(seen.sizes).most_common(1)
    if count * 2 > len(seen.sizes) and max(width, height) <= FULL_SIDE:
        return written(height, width), f"which {'the' if count == len(seen.sizes) else 'most'} images have"
    if long is not None:
        side = min(seen.side * max(long, 1 / long) ** 0.5, FULL_SIDE)
        return written(round(side * long**-0.5), round(side * long**0.5)), "of the shape that the images have"
    return round(seen.side), f"as the short sides of the images have{seen.in_the_median}"


def _why_drawn(recipe: Recipe) -> str:
    """Why a recipe asks for drawn values itself; "" where it does not."""
    data = recipe.data
    if recipe.network.whiten:
        return "--whiten draws the first layer's"
    if data.in_channels == 1:
        return f"--in-channels 1 asks for grey{FOR_COLOUR}"
    if data.in_channels not in (None, 3):
        return f"the images have {data.in_channels} bands{FOR_COLOUR}"
    if data.img_size is not None and min(height_and_width(data.img_size)) < LEAST_SIDE:
        return f"--img-size {data.img_size} is less than the {LEAST_SIDE} pixels that weights need"
    return ""


def _why_no_photographs(seen: _Seen) -> str:
    """Why images are no photographs, by some of them; "" where they are."""
    if not seen.sizes:
        return "no image can be read"
    if seen.side < LEAST_SIDE:
        short = f"{seen.side:.0f} pixels on the short side{seen.in_the_median}"
        return f"the images have {short}, and photographs {LEAST_SIDE} or more"
    if seen.grey:
        return f"the images are grey{FOR_COLOUR}"
    return ""


def _better_off(recipe: Recipe, seen: _Seen) -> str:
    """What published weights would be likely to give although the images are no photographs in colour; "" if unknown.

    Measured of classification by the embedded network, which nothing in the recipe may be at odds with.
    """
    if _why_drawn(recipe) or recipe.network.model or recipe.network.task != "classify" or not seen.sizes:
        return ""
    if not seen.grey and SMALLEST_TRIED <= seen.side < LEAST_SIDE:
        return f"; for photos, `--weights {EMBEDDED}` is likely to be better: {GAINED_BY_SMALL}"
    if seen.grey and seen.side >= LEAST_SIDE:
        return f"; for photos, `--weights {EMBEDDED}` is likely to be better: {GAINED_BY_GREY}"
    return ""


def _some(index: Index, max_pixels: int) -> Iterator[OpenedImage]:
    """Images spread evenly over the index, their headers read, without those that cannot be."""
    rows, images = index.usable().nonzero()[0], IndexedImages(index, max_pixels)
    for row in rows[:: max(math.ceil(len(rows) / LOOKED_AT), 1)].tolist():
        with suppress(UnreadableError):
            yield images.open(row)


def _weights_of(recipe: Recipe) -> tuple[Manifest | None, str]:
    """The published weights of the recipe's network that are here; or why there are none."""
    network = recipe.network
    name = encoder_name(network.name)
    arguments = {key: value for key, value in network.model_args.items() if key in arguments_of(name)}
    if not network.model and not arguments:
        name = EMBEDDED
    manifest = named(name, published())
    if manifest is None:
        return None, f"no published weights of {name} are known"
    if arguments and arguments != manifest.arguments:
        return None, f"its arguments are not those of {manifest.name}"
    if not is_here(manifest):
        size = f" ({manifest.size / 1e6:.0f} MB)" if manifest.size else ""
        return None, f"{manifest.name}{size} is not here. {hint(manifest)}".rstrip(".")
    return manifest, ""


def _require_nothing_kept(recipe: Recipe, why_not: str) -> None:
    """Refuses a recipe that says what becomes of weights where there are none."""
    if given := recipe.transfer.of_weights:
        names = ", ".join(given)
        raise UsageError(f"`{names}`: expected weights to begin with; got none: {why_not}. Try --weights NAME.")
