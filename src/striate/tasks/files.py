"""Predictions as files that other programs read, and as images that a person looks at."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as rle

from striate.errors import UsageError
from striate.tasks.locate_rows import NO_OBJECT
from striate.tasks.located import Located
from striate.tasks.prediction import Prediction
from striate.tasks.segment import Segmented
from striate.tasks.task import Task

BACKGROUND = "background"  # the class whose pixels are no object
MOST_NAMED = 5  # classes of a mask that are named on its image
LINE = (255, 220, 0)
OPACITY = 0.5  # of a mask over its image


KINDS: dict[str, tuple[type[Prediction], ...]] = {"coco": (Located, Segmented), "voc": (Located,), "png": (Segmented,)}
"""The files that not every task can fill, and the predictions that do."""


def require_kind(kind: str, task: Task) -> None:
    """Refuses a kind of file that has no room for what a task predicts, before anything is predicted.

    Raises:
        UsageError: it is one of boxes and the task has none, or of masks.
    """
    given = type(task.unread("", ""))
    if not issubclass(given, KINDS.get(kind, (Prediction,))):
        fitting = ["csv", "jsonl", "parquet", *(name for name, kinds in KINDS.items() if issubclass(given, kinds))]
        raise UsageError(f"`--format`: expected {', '.join(fitting)} of the task {task.name}; got {kind}.")


def palette(count: int) -> NDArray[np.uint8]:
    """(count, 3) the colours of class numbers, the first black: those of Pascal VOC's masks.

    Source: VOClabelcolormap of the VOC development kit: the bits of a number, dealt to red, green and blue in turn,
    the lowest bits first to the highest of a colour.
    """
    colours = np.zeros((count, 3), np.uint8)
    numbers = np.arange(count)
    for bit in range(7, -1, -1):
        for channel in range(3):
            colours[:, channel] |= (((numbers >> channel) & 1) << bit).astype(np.uint8)
        numbers = numbers >> 3
    return colours


def mask_image(prediction: Prediction) -> Image.Image:
    """The mask as an image of class numbers with a palette, as Pascal VOC has them.

    Raises:
        ValueError: the prediction has no mask.
    """
    if not isinstance(prediction, Segmented) or prediction.mask is None:
        raise ValueError(f"`prediction`: expected one with a mask; got {prediction}.")
    image = Image.fromarray(prediction.mask)
    image.putpalette(palette(256).tobytes())
    return image


def voc_annotation(prediction: Prediction) -> str:
    """The XML of Pascal VOC: the image, its size, and its object, if it has one, in whole pixels counted from 0.

    Raises:
        ValueError: the prediction is none of an object.
    """
    if not isinstance(prediction, Located):
        raise ValueError(f"`prediction`: expected one of an object; got {prediction}.")
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = PurePosixPath(prediction.path).name
    size = ElementTree.SubElement(root, "size")
    for name, value in zip(("width", "height", "depth"), (*prediction.size, 3), strict=True):
        ElementTree.SubElement(size, name).text = str(value)
    ElementTree.SubElement(root, "segmented").text = "0"
    if prediction.box is not None:
        shown = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(shown, "name").text = prediction.label
        ElementTree.SubElement(shown, "difficult").text = "0"
        box = ElementTree.SubElement(shown, "bndbox")
        for name, edge in zip(("xmin", "ymin", "xmax", "ymax"), prediction.box, strict=True):
            ElementTree.SubElement(box, name).text = str(round(edge))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def coco(predictions: Iterable[Prediction], classes: Sequence[str]) -> dict[str, Any]:
    """A COCO data set: an object with its box, or each class's pixels as run lengths; its score beside them.

    Images that could not be read are left out.

    Args:
        predictions: of objects or of pixels.
        classes: names, by class number; a category's number is that of its class and 1. Classes that stand for no
            object are no categories.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for prediction in predictions:
        if prediction.error:
            continue
        width, height = _size(prediction)
        images.append({"id": len(images) + 1, "file_name": prediction.path, "width": width, "height": height})
        for found in _objects(prediction, classes):
            annotations.append({"id": len(annotations) + 1, "image_id": len(images), "iscrowd": 0} | found)
    used = {annotation["category_id"] for annotation in annotations}
    categories = [
        {"id": number, "name": name}
        for number, name in enumerate(classes, 1)
        if number in used or name not in (NO_OBJECT, BACKGROUND)
    ]
    return {"images": images, "annotations": annotations, "categories": categories}


def _size(prediction: Prediction) -> tuple[int, int]:
    if isinstance(prediction, Segmented) and prediction.mask is not None:
        return prediction.mask.shape[1], prediction.mask.shape[0]
    return prediction.size if isinstance(prediction, Located) else (0, 0)


def _objects(prediction: Prediction, classes: Sequence[str]) -> Iterable[dict[str, Any]]:
    if isinstance(prediction, Located) and prediction.box is not None:
        x0, y0, x1, y1 = prediction.box
        yield {
            "category_id": classes.index(prediction.label) + 1,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0),
            "score": prediction.probability,
        }
    if isinstance(prediction, Segmented) and prediction.mask is not None:
        for number in np.unique(prediction.mask).tolist():
            if classes[number] != BACKGROUND:
                runs = rle.encode(np.asfortranarray(prediction.mask == number, np.uint8))
                yield {
                    "category_id": number + 1,
                    "bbox": rle.toBbox(runs).tolist(),
                    "area": int(rle.area(runs)),
                    "segmentation": {"size": list(runs["size"]), "counts": runs["counts"].decode()},
                }


def drawn(prediction: Prediction, image: Image.Image, classes: Sequence[str], *, written: bool = True) -> Image.Image:
    """An image with what was found on it.

    Args:
        prediction: of the image.
        image: upright, in its own size or smaller.
        classes: names, by class number.
        written: whether names, and probabilities where there are several classes, are written on it too.
    """
    shown = image.convert("RGB")
    named = prediction.label
    if len(classes) > 1:  # the only class of a model is always certain, which says nothing
        named = f"{named} {prediction.probability:.2f}"
    if isinstance(prediction, Segmented) and prediction.mask is not None:
        shown = overlaid(shown, prediction.mask, len(classes))
        colours = palette(len(classes))
        if written:
            _legend(shown, {name: colours[classes.index(name)] for name, share in prediction.top(MOST_NAMED) if share})
    elif isinstance(prediction, Located) and prediction.box is not None:
        scale = shown.width / prediction.size[0]
        box_drawn(shown, [edge * scale for edge in prediction.box], named if written else "", LINE)
    elif prediction.label and written:
        _written(shown, named, (4, 4), LINE)
    return shown


def overlaid(image: Image.Image, mask: NDArray[np.uint8], classes: int) -> Image.Image:
    """An image with the colours of a mask (H, W) over it, but where they are black; the mask is resized to it."""
    own = np.asarray(Image.fromarray(mask).resize(image.size, Image.Resampling.NEAREST))
    colours = palette(max(classes, int(own.max()) + 1))[own]
    opacity = OPACITY * colours.any(axis=-1, keepdims=True)
    mixed = np.asarray(image, np.float32) * (1 - opacity) + colours * opacity
    return Image.fromarray(mixed.astype(np.uint8))


def box_drawn(image: Image.Image, box: Sequence[float], text: str, colour: tuple[int, int, int]) -> None:
    """Draws a box on an image, with text at its top."""
    x0, y0, x1, y1 = box
    width = max(round(max(image.size) / 250), 1)
    ImageDraw.Draw(image).rectangle((x0, y0, max(x1, x0), max(y1, y0)), outline=colour, width=width)
    if text:
        _written(image, text, (x0, y0), colour, above=True)


def _legend(image: Image.Image, colours: Mapping[str, NDArray[np.uint8]]) -> None:
    y = 4.0
    for name, colour in colours.items():
        r, g, b = (min(2 * value, 255) for value in colour.tolist())  # Pascal VOC's are dark, and so is the ground
        y = _written(image, name, (4, y), (r, g, b) if colour.any() else (255, 255, 255))


def _written(
    image: Image.Image, text: str, at: tuple[float, float], colour: tuple[int, int, int], *, above: bool = False
) -> float:
    """Writes text on a dark ground, moved to where the image has room for it; where it ends.

    Args:
        image: that is written on.
        text: one line.
        at: its left and top edge; with `above`, its left and bottom edge, where there is room above.
        colour: of the letters.
        above: see `at`.
    """
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(max(image.height / 30, 11))
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    x, y = at[0] - left, at[1] - (bottom if above and at[1] >= bottom - top else top)
    x = round(max(min(x, image.width - right), -left))
    y = round(max(min(y, image.height - bottom), -top))
    draw.rectangle(draw.textbbox((x, y), text, font), fill=(0, 0, 0))
    draw.text((x, y), text, fill=colour, font=font)
    return float(draw.textbbox((x, y), text, font)[3] + 2)
