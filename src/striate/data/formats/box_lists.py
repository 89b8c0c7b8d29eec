"""Text files of the boxes of many images: Keras' YOLO, an image a line, and WIDER FACE, an image and then its boxes."""

import re
from pathlib import Path

from striate.data.formats.record import Record, boxed
from striate.data.layouts.text_file import read_lines
from striate.errors import DataError

KERAS_BOX = re.compile(r"(-?[0-9]{1,9}([.][0-9]{1,20})?,){4}[0-9]{1,9}")
BROKEN_BOX = re.compile(r"[-0-9.]*,[-0-9.,]*")
WIDER_BOX = re.compile(r"(-?[0-9]{1,9}\s+){3,}-?[0-9]{1,9}")
UNNAMED = "object"


def keras(path: Path) -> list[Record]:
    """The records of lines `path xmin,ymin,xmax,ymax,class ...`; classes are numbers.

    Raises:
        DataError: if a line has no image, or something else between its boxes.
    """
    records = []
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            continue
        image, boxes = keras_parts(line)
        if not image or BROKEN_BOX.fullmatch(image.rpartition(" ")[2]):
            raise DataError(f"{path}, line {number}: expected an image and boxes as x,y,x,y,class; got {line:.80}.")
        record = Record(image)
        for box in boxes:
            x0, y0, x1, y1, label = box.split(",")
            record.add(boxed(label, float(x0), float(y0), float(x1), float(y1)))
        records.append(record)
    return records


def keras_parts(line: str) -> tuple[str, list[str]]:
    """The image of a line, whose name may hold spaces, and the boxes after it.

    >>> keras_parts("my ant.jpg 1,2,9,8,0 3,4,9,8,1")
    ('my ant.jpg', ['1,2,9,8,0', '3,4,9,8,1'])
    """
    texts = line.split()
    first = len(texts)
    while first and KERAS_BOX.fullmatch(texts[first - 1]):
        first -= 1
    return " ".join(texts[:first]), texts[first:]


def wider(path: Path) -> list[Record]:
    """The records of an image's path, how many boxes it has, and those: x, y, width, height, and more."""
    records: list[Record] = []
    left = 0
    for number, line in enumerate(read_lines(path), 1):
        if WIDER_BOX.fullmatch(line) and records:
            x, y, width, height = map(int, line.split()[:4])
            if width > 0 and height > 0:  # an image without a box has one of zeros
                records[-1].add(boxed(UNNAMED, x, y, x + width, y + height))
            left -= 1
        elif line.isdecimal() and records:
            left = int(line[:9])
        elif left > 0:
            raise DataError(f"{path}, line {number}: expected {left} more boxes; got {line:.80}.")
        elif line:
            records.append(Record(line))
    return records
