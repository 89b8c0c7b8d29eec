"""COCO files: what they hold, and the outlines of their objects as a mask.

Source: the data format of cocodataset.org and its program pycocotools, which rasterises polygons here. Its run lengths
are decoded here instead, because its C code reads beyond a text that ends too early.
"""

import threading
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rasteriser

from striate.data.decode import UnreadableError
from striate.data.formats.record import code_of
from striate.data.layouts.json_file import decode_json, ends_of
from striate.data.pixel_limit import why_too_large
from striate.errors import DataError
from striate.recipe.ranges import MAX_PIXELS

BACKGROUND, CROWD = 0, -1  # values of a mask where there is no object, and where nobody counted them
MOST_OBJECTS = 20_000  # of an image; the densest of LVIS has 300
MOST_DRAWN = 1 << 30  # pixels of the columns that all objects of an image lie in
MOST_OUTLINE = 1 << 20  # pixels along all outlines of an object, each of which takes the rasteriser some 60 bytes
UNREAD = {  # what files hold that are like COCO's, by a key in them
    b'"segments_info"': "a panoptic segmentation, which is not read: save instances, or masks in PNG of class numbers",
    b'"caption"': "captions, which are no classes",
}
REACH = 1  # image sides that an outline may reach outside; what is far away would take long to rasterise

Runs = NDArray[np.int64]  # lengths of runs outside and inside by turns, down the columns
Values = NDArray[np.int32]  # (H, W): `code_of` the category's name, BACKGROUND or CROWD

# A file may have a million annotations. `gc=False` and tuples spare Python's search for cycles among them, which would
# take as long as all else.


class Image(msgspec.Struct, gc=False):
    """An image of a COCO file."""

    id: int
    file_name: str = ""
    width: int = 0
    height: int = 0
    coco_url: str = ""
    """Where LVIS has it from, which ends in the path of its file."""


class Category(msgspec.Struct):
    """A class of a COCO file."""

    id: Annotated[int, msgspec.Meta(ge=0, lt=2**31 - 1)]
    name: str


class Annotation(msgspec.Struct, gc=False):
    """An object of an image, or a crowd of them."""

    image_id: int
    category_id: int
    bbox: tuple[float, ...] = ()
    """x, y, width, height."""

    iscrowd: int | bool = 0
    segmentation: msgspec.Raw = msgspec.Raw(b"null")  # decoded when a mask is made of it


class Coco(msgspec.Struct):
    """What a COCO file holds of boxes and masks."""

    images: list[Image]
    categories: list[Category]
    annotations: list[Annotation] = []


class RunLengths(msgspec.Struct):
    """An outline as lengths of runs outside and inside by turns, down the columns."""

    size: tuple[int, int]
    counts: str | list[int]


Outline = list[list[float]] | RunLengths | None


def load(path: Path) -> Coco:
    """Reads a COCO file.

    Raises:
        DataError: if it is none, or two of its images have the same number.
    """
    try:
        coco: Coco = decode_json(path, Coco, "COCO JSON")
    except DataError:
        unread = next((why for key, why in UNREAD.items() if key in ends_of(path)), "")
        if unread:
            raise DataError(f"{path}: expected COCO JSON of boxes, outlines or classes; got {unread}.") from None
        raise
    for image in coco.images:
        image.file_name = image.file_name or image.coco_url
    if not all(image.file_name for image in coco.images):
        raise DataError(f"{path}: expected `file_name` or `coco_url` of each image; got one without.")
    if len({image.id for image in coco.images}) < len(coco.images):
        raise DataError(f"{path}: expected a number of its own for each image; got one twice.")
    return coco


def has_outline(annotation: Annotation) -> bool:
    """Whether an object has more than a box."""
    return bytes(annotation.segmentation) not in (b"null", b"[]", b"{}")


def stored_values(path: Path, number: int, max_pixels: int = MAX_PIXELS) -> Values:
    """The category of each pixel of an image, by the outlines of its objects.

    Where objects overlap, the smaller one is in front. An object without an outline is a crowd as large as its box.

    Args:
        path: of the COCO file.
        number: `id` of the image.
        max_pixels: an image of more is refused.

    Raises:
        UnreadableError: if the file lacks that image or says no possible size of it, or an outline is broken.
    """
    image, annotations, names = _of_image(path, number)
    width, height = image.width, image.height
    if min(width, height) < 1:
        raise UnreadableError(f"expected a mask of 1 pixel or more; {path.name} says {width} x {height}")
    if (reason := why_too_large((width, height), max_pixels)) is not None:
        raise UnreadableError(f"its mask: {reason}")
    canvas = Canvas(width, height, len(annotations))
    for annotation in annotations:
        runs = _runs(annotation, width, height)
        name = names.get(annotation.category_id)
        if annotation.iscrowd or not has_outline(annotation) or name is None:
            canvas.paint(runs, CROWD)
        else:
            canvas.add(runs, code_of(name))
    return canvas.drawn()


class Canvas:
    """A mask that objects are drawn on: crowds at once and the others, the smaller ones in front, at the end.

    An object is kept as its runs, which take far less room than its pixels.
    """

    def __init__(self, width: int, height: int, count: int) -> None:
        """Takes the size of the image, and how many objects it has.

        Raises:
            UnreadableError: if they are too many.
        """
        if count > MOST_OBJECTS:
            raise UnreadableError(f"expected a mask of at most {MOST_OBJECTS:,} objects; got {count:,}")
        self._values = np.full(width * height, BACKGROUND, np.int32)  # down the columns
        self._shape = width, height
        self._waiting: list[tuple[int, int, Runs]] = []
        self._drawn = 0

    def add(self, runs: Runs, value: int) -> None:
        """Keeps an object for the end."""
        self._waiting.append((int(runs[1::2].sum()), value, runs))

    def paint(self, runs: Runs, value: int) -> None:
        """Draws an object on what is there.

        Raises:
            UnreadableError: if all objects cover far more than an image.
        """
        last = len(runs) // 2 * 2  # after it, all is outside
        start, stop = int(runs[0]), int(runs[:last].sum())
        self._drawn += max(stop - start, 0)
        if self._drawn > MOST_DRAWN:
            raise UnreadableError(f"expected outlines over at most {MOST_DRAWN:,} pixels in all; got more")
        if last:
            self._values[start:stop][np.repeat(np.arange(1, last) % 2 == 1, runs[1:last])] = value

    def drawn(self) -> Values:
        """(H, W) with all objects."""
        for _, value, runs in sorted(self._waiting, key=lambda each: -each[0]):
            self.paint(runs, value)
        self._waiting.clear()
        return self._values.reshape(self._shape).T


def _of_image(path: Path, number: int) -> tuple[Image, list[Annotation], dict[int, str]]:
    try:
        stamp = path.stat()
        with _one_at_a_time:
            images, annotations, names = _by_image(path, stamp.st_mtime_ns, stamp.st_size)
    except (OSError, DataError) as error:
        raise UnreadableError(str(error)) from error
    if number not in images:
        raise UnreadableError(f"{path.name} has no image {number}")
    return images[number], annotations.get(number, []), names


_one_at_a_time = threading.Lock()  # or each thread would read the file


@lru_cache(maxsize=4)
def _by_image(
    path: Path, mtime_ns: int, size: int
) -> tuple[dict[int, Image], dict[int, list[Annotation]], dict[int, str]]:
    """The images of a file and their objects by the number of the image, and the names of the categories.

    The file is read anew once it has changed.
    """
    coco = load(path)
    annotations: dict[int, list[Annotation]] = defaultdict(list)
    for annotation in coco.annotations:
        annotations[annotation.image_id].append(annotation)
    names = {category.id: category.name for category in coco.categories}
    return {image.id: image for image in coco.images}, dict(annotations), names


def _runs(annotation: Annotation, width: int, height: int) -> Runs:
    """The runs of an object."""
    try:
        outline = msgspec.json.decode(annotation.segmentation, type=Outline)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"an outline is broken: {error}") from error
    if isinstance(outline, RunLengths):
        return _checked(outline, width, height)
    polygons = outline if outline else _corners(annotation.bbox)
    return polygon_runs([polygon for polygon in polygons if len(polygon) >= 6], width, height)


def _corners(bbox: tuple[float, ...]) -> list[list[float]]:
    if len(bbox) != 4:
        return []
    x, y, w, h = bbox
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def polygon_runs(polygons: list[list[float]], width: int, height: int) -> Runs:
    """The runs of the pixels that lie in one of the polygons, each x0, y0, x1, y1, ... in pixels.

    Raises:
        UnreadableError: if a polygon has half a corner, or reaches far out of the image.
    """
    length = 0.0
    for polygon in polygons:
        if len(polygon) % 2:
            raise UnreadableError(f"an outline is broken: expected pairs of x and y; got {len(polygon)} numbers")
        shares = np.asarray(polygon).reshape(-1, 2) / (width, height)
        if not ((shares >= -REACH) & (shares <= 1 + REACH)).all():
            raise UnreadableError("an outline is broken: it reaches far out of the image")
        corners = np.asarray(polygon).reshape(-1, 2)
        length += float(np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1).sum())
        if length > MOST_OUTLINE:
            raise UnreadableError(f"expected an outline of at most {MOST_OUTLINE:,} pixels; got a longer one")
    if not polygons:
        return np.array([width * height])
    runs = rasteriser.merge(rasteriser.frPyObjects(polygons, height, width))
    return _checked(RunLengths((height, width), runs["counts"].decode()), width, height)


def _checked(runs: RunLengths, width: int, height: int) -> Runs:
    counts = _unpacked(runs.counts) if isinstance(runs.counts, str) else runs.counts
    if runs.size != (height, width) or sum(counts) != width * height or min(counts) < 0:
        raise UnreadableError(f"an outline is broken: expected run lengths of {width} x {height} pixels; got others")
    return np.asarray(counts, np.int64)


def _unpacked(text: str) -> list[int]:
    """Run lengths of COCO's text: five bits a character, the low ones first; after three, less the last but one."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - ord("0")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20 and shift < 64:  # more of this number follows
            continue
        if bits & 0x10:  # it is negative
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts
