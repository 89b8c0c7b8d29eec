"""MOT challenge: the boxes of a sequence of frames in `gt/gt.txt`, beside the frames in `img1/`.

Source: the devkit of MOT16, MOT17 and MOT20: frame, track, left, top, width, height, whether it counts, class,
visibility. Of MOT15, which has ten numbers a line and no classes, all are of one class. CVAT writes the same with the
names of its classes in `labels.txt`, which numbers count from 1.
"""

import re
from pathlib import Path

from striate.data.formats.record import Record, boxed
from striate.data.layouts.text_file import read_lines
from striate.errors import DataError

FRAMES = "img1"  # the folder beside that of the file
FILE, NAMES = "gt.txt", "labels.txt"
LINE = re.compile(r"[0-9]+,-?[0-9]+(\s*,\s*-?[0-9.]+(e[-+]?[0-9]+)?){7,8}", re.IGNORECASE)
CLASSES = (  # by number, from 1
    *("Pedestrian", "Person on vehicle", "Car", "Bicycle", "Motorbike", "Non motorized vehicle", "Static person"),
    *("Distractor", "Occluder", "Occluder on the ground", "Occluder full", "Reflection", "Crowd"),
)
UNNAMED = "object"
OF_MOT15 = 10  # numbers of a line, of which the last three are a place


def parse(path: Path) -> list[Record]:
    """The records of a sequence, a frame each; a box that does not count is left out.

    Raises:
        DataError: if a line is none of MOT's.
    """
    beside = path.with_name(NAMES)
    names = [line for line in read_lines(beside) if line] if beside.is_file() else CLASSES
    frames = _frames(path.parent.parent / FRAMES)
    records: dict[int, Record] = {}
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            continue
        if LINE.fullmatch(line) is None:
            raise DataError(f"{path}, line {number}: expected nine numbers or ten, as MOT has them; got {line:.80}.")
        texts = line.split(",")
        frame, place = int(texts[0][:9]), float(texts[7])
        x, y, width, height = (float(text) for text in texts[2:6])
        is_named = len(texts) < OF_MOT15 and place == int(place) and 1 <= place <= len(names)
        label = names[int(place) - 1] if is_named else UNNAMED if len(texts) == OF_MOT15 else f"{place:g}"
        record = records.setdefault(frame, Record(frames.get(frame, f"{FRAMES}/{frame:06d}")))
        record.add(boxed(label, x, y, x + width, y + height) if float(texts[6]) else None)
    return list(records.values())


def _frames(folder: Path) -> dict[int, str]:
    """The path of each frame from the folder above its own, by the number in its name."""
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    numbers = {name: re.search(r"([0-9]{1,9})[.][^.]*$", name) for name in sorted(names)}
    return {int(number[1]): f"{FRAMES}/{name}" for name, number in numbers.items() if number}
