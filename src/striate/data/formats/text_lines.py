"""Text files of objects that are named as their images: of VisDrone, DOTA and ICDAR, an object a line.

Sources: the development kits of VisDrone-DET (x, y, width, height, score, class, truncation, occlusion), of DOTA (four
corners, class, difficulty, below lines such as `gsd:0.1`), and of ICDAR's scene text (four corners and the words).
Of four corners, the upright box around them is read.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from striate.data.formats.record import Record, Shape, boxed
from striate.data.layouts.text_file import read_lines
from striate.errors import DataError

NUMBER = r"-?[0-9]+(?:[.][0-9]+)?"
VISDRONE = re.compile(r"-?[0-9]+(,-?[0-9]+){7},?")
DOTA = re.compile(rf"({NUMBER}\s+){{8}}[^\s0-9][^\s]*(\s+[0-9]+)?")
DOTA_HEAD = re.compile(r"(imagesource|gsd)\s*:.*")
ICDAR = re.compile(rf"({NUMBER}\s*,\s*){{8}}.*")
VISDRONE_CLASSES = (  # by number; 0 is a region to be ignored, and 11 are others
    *("ignored", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle", "bus"),
    *("motor", "others"),
)
ASIDE = ("ignored", "others")
WORD = "word"  # the one class of scene text
ILLEGIBLE = "###"


def visdrone(path: Path) -> list[Record]:
    """The objects of a file of VisDrone."""
    return _record(path, _of_visdrone)


def dota(path: Path) -> list[Record]:
    """The objects of a file of DOTA."""
    return _record(path, _of_dota)


def icdar(path: Path) -> list[Record]:
    """The words of a file of ICDAR; one that nobody can read is left out."""
    record = _record(path, _of_icdar)[0]
    record.image = re.sub(r"^(gt|res)_", "", record.image)
    return [record]


def _record(path: Path, shape_of: Callable[[str], Shape | None]) -> list[Record]:
    """The record of the image that a file is named after.

    Raises:
        DataError: if a line is none of its kind.
    """
    record = Record(path.stem)
    for number, line in enumerate(read_lines(path), 1):
        if not line or DOTA_HEAD.fullmatch(line):
            continue
        try:
            record.add(shape_of(line))
        except (ValueError, LookupError) as error:
            raise DataError(f"{path}, line {number}: expected the numbers of an object; got {line:.80}.") from error
    return [record]


def _of_visdrone(line: str) -> Shape | None:
    x, y, width, height, _, number, *_ = (int(text) for text in line.strip(",").split(","))
    name = VISDRONE_CLASSES[number] if 0 <= number < len(VISDRONE_CLASSES) else str(number)
    return None if name in ASIDE else boxed(name, x, y, x + width, y + height)


def _of_dota(line: str) -> Shape | None:
    texts = line.split()
    return _around(texts[8], texts[:8])


def _of_icdar(line: str) -> Shape | None:
    *texts, word = line.split(",", 8)
    return None if word.strip() == ILLEGIBLE else _around(WORD, texts)


def _around(label: str, texts: Sequence[str]) -> Shape | None:
    """The upright box around corners, which are x and y by turns."""
    numbers = [float(text) for text in texts]
    return boxed(label, min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
