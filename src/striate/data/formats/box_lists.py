"""Text files of the boxes of many images: Keras' YOLO, an image a line, and WIDER FACE, an image and then its boxes."""

import re
from pathlib import Path

from striate.data.formats.record import Record, boxed
from striate.data.layouts.text_file import read_lines
from striate.errors import DataError

KERAS_BOX = re.compile(r"(-?[0-9.]+,){4}[0-9]+")
WIDER_BOX = re.compile(r"(-?[0-9]+\s+){3,}-?[0-9]+")
UNNAMED = "object"


def keras(path: Path) -> list[Record]:
    """The records of lines `path xmin,ymin,xmax,ymax,class ...`; classes are numbers."""
    records = []
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            continue
        image, *boxes = re.split(r"\s+(?=(?:-?[0-9.]+,){4}[0-9]+(?:\s|$))", line)
        record = Record(image)
        for box in boxes:
            if not KERAS_BOX.fullmatch(box):
                raise DataError(f"{path}, line {number}: expected boxes as x,y,x,y,class; got {box:.80}.")
            x0, y0, x1, y1, label = box.split(",")
            record.add(boxed(label, float(x0), float(y0), float(x1), float(y1)))
        records.append(record)
    return records


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
