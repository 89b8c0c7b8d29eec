"""Text files that list images: those of a split, or each with its label."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from striate.data.layouts.annotation_files import text_kind
from striate.data.layouts.finder import ImageFinder, stem
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import is_document, parts_of, split_of_path
from striate.data.layouts.text_file import read_lines
from striate.data.layouts.tree import Tree
from striate.errors import DataError
from striate.files import list_names

SUFFIXES = (".txt", ".lst", ".list")
MOST = 300  # lists of a tree that are looked into
HEAD = 40  # lines that tell how a list is written
BOTH = ("trainval", "train_val", "train-val")  # names of lists of train and val together
NUMBERS = re.compile(
    r"(-?[0-9.]+[ ,]+){3,}-?[0-9.]+"
)  # what is said of an image, where it is no label: boxes, attributes
OF_KERAS = re.compile(r" ([0-9]+,){4}[0-9]+( |$)")
COLOURS = ("label_colors.txt", "label_colours.txt", "labelmap.txt")
IMAGES, IN_TRAIN = "images.txt", "train_test_split"  # of CUB-200: the path of each image's number, and 1 for train
NUMBERED = ("image_class_labels.txt", f"{IN_TRAIN}.txt")
Row = tuple[str, str]  # text of the image, of its label
Parse = Callable[[str], Row]


@dataclass(frozen=True)
class ImageList:
    """A list of images."""

    file: str
    """Its path from the root."""

    rows: list[Row]

    @property
    def folder(self) -> str:
        """Where it lies, from the root."""
        return self.file.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its name without suffix."""
        return self.file.rpartition("/")[2].rpartition(".")[0]

    @property
    def split(self) -> str | None:
        """The split that its name says, else its folder's."""
        return parts_of(self.name).split or (split_of_path(self.folder) if self.folder else None)

    @property
    def has_labels(self) -> bool:
        """Whether it says a label of each image."""
        return any(label for _, label in islice(self.rows, HEAD))


def _whole(line: str) -> Row:
    return line, ""


def _label_last(line: str) -> Row:
    path, _, label = line.replace("\t", " ").rpartition(" ")
    return path.strip(), label


def _label_rest(line: str) -> Row:
    path, _, label = line.replace("\t", " ").partition(" ")
    return path, label.strip()


def _label_first(line: str) -> Row:
    label, _, path = line.replace("\t", " ").partition(" ")
    return path.strip(), label


def _between(line: str) -> Row:
    """An `.lst` of MXNet: a number, the label, the path."""
    values = line.split("\t")
    return (values[-1], values[1]) if len(values) > 2 else ("", "")


def _comma(line: str) -> Row:
    path, _, label = line.partition(",")
    return path.strip(), label.strip()


WAYS: Sequence[Parse] = (_whole, _label_last, _label_rest, _label_first, _between, _comma)


def read_list(tree: Tree, file: str, finder: ImageFinder) -> ImageList | None:
    """The rows of a text file of which half the lines or more name an image of their own; None of another."""
    try:
        lines = [line for line in read_lines(tree.read_name(file)) if line and not line.startswith("#")]
    except DataError:
        return None
    folder = file.rpartition("/")[0]
    lines = _with_paths(tree, file, lines)
    head = lines[:: max(len(lines) // HEAD, 1)]
    if not head:
        return None

    def fit(way: Parse) -> int:
        return len({finder.find(way(line)[0], folder) for line in head} - {None})

    best = max(WAYS, key=fit)
    if 2 * fit(best) < len(head) or not fit(best) or all(NUMBERS.fullmatch(best(line)[1]) for line in head):
        return None
    return ImageList(file, [best(line) for line in lines])


def _with_paths(tree: Tree, file: str, lines: list[str]) -> list[str]:
    """The lines of a list of CUB-200, which numbers its images, with the paths of images.txt for the numbers."""
    folder, _, name = file.rpartition("/")
    numbered = f"{folder}/{IMAGES}" if folder else IMAGES
    if name.lower() not in NUMBERED or numbered not in set(tree.others(".txt")):
        return lines
    path_of = {line.partition(" ")[0]: line.partition(" ")[2] for line in read_lines(tree.read_name(numbered))}
    parted = (line.partition(" ") for line in lines)
    return [f"{path_of.get(number, number)} {rest}" for number, _, rest in parted]


def is_of_boxes(path: Path) -> bool:
    """Whether lines have an image and boxes as Keras' YOLO writes them: neither a list of labels nor a table."""
    lines = [line for line in islice(read_lines(path), HEAD) if line]
    return bool(lines) and all(OF_KERAS.search(line) for line in lines)


def lists_of(tree: Tree, finder: ImageFinder) -> Iterator[ImageList]:
    """The lists of a tree."""
    if not tree.top.count:
        return
    for number, file in enumerate(tree.others(*SUFFIXES)):
        name = file.rpartition("/")[2]
        is_of_one_image = finder.find(stem(name), file.rpartition("/")[0]) is not None
        if (
            number < MOST
            and not (is_document(name) or is_of_one_image or name.lower() in COLOURS)
            and text_kind(tree.read_name(file)) is None
        ):
            found = read_list(tree, file, finder)
            if found is not None:
                yield found


def split_lists(tree: Tree, finder: ImageFinder) -> tuple[dict[str, str], list[str]]:
    """The split of each image by the lists of a tree that name one, and what is worth a word about them.

    Where only a list of val or of test is there, the images that it does not name are for train.
    """
    splits: dict[str, str] = {}
    used: list[str] = []
    lists = [each for each in lists_of(tree, finder) if each.split is not None]
    for each in sorted(lists, key=lambda each: each.name.lower().endswith(BOTH)):
        if each.name.lower() == IN_TRAIN:
            flags = {path: flag for text, flag in each.rows if (path := finder.find(text, each.folder)) is not None}
            splits = {path: "train" if flag == "1" else "test" for path, flag in flags.items()} | splits
            used.append(each.file)
            continue
        split = each.split or ""
        found = [path for text, _ in each.rows if (path := finder.find(text, each.folder)) is not None]
        if each.name.lower().endswith(BOTH):
            found = [path for path in found if path not in splits]
        if any(splits.get(path, split) != split for path in found):
            return {}, [f"lists of splits that contradict each other are not read: {each.file} and another."]
        splits |= dict.fromkeys(found, split)
        used.append(each.file)
    if not used:
        return {}, []
    notes = [f"splits by {list_names(used, 3)}."]
    if "train" not in splits.values():
        rest = (folder.path_of(name) for folder in tree.top.walk() for name in folder.images)
        splits |= {path: "train" for path in rest if path not in splits}
    return splits, notes


def find(tree: Tree, finder: ImageFinder) -> list[Layout]:
    """A reading for each list of images with labels, or for those of the splits of one data set."""
    groups: dict[object, list[ImageList]] = {}
    for each in lists_of(tree, finder):
        if each.has_labels and not _is_of_one_class(each) and not _is_numbering(each):
            rest = " ".join(parts_of(each.name).rest)
            groups.setdefault((each.folder, rest) if each.split else each.file, []).append(each)
    layouts = []
    for group in groups.values():
        splits = [each.split for each in group]
        together = len(set(splits)) == len(splits)
        for members in [group] if together else [[each] for each in group]:
            files = tuple(each.file for each in members)
            named = [
                f"{each.split} ({each.file})" if each.split and len(members) > 1 else each.file for each in members
            ]
            layouts.append(Layout("lists", f"a list of images and labels: {list_names(named, 4)}", tree, files))
    return layouts


def _is_numbering(each: ImageList) -> bool:
    """Whether what a list says of each image is only its number, or whether it is for train."""
    labels = [label for _, label in each.rows]
    return each.name.lower() == IN_TRAIN or (len(labels) > 2 and labels in map(_counted, (0, 1), (len(labels),) * 2))


def _counted(first: int, count: int) -> list[str]:
    return [str(first + place) for place in range(count)]


def _is_of_one_class(each: ImageList) -> bool:
    """Whether a list says of each image whether it shows one class, as those of Pascal VOC do: dog_train.txt."""
    labels = {label for _, label in each.rows}
    is_of_voc = "-1" in labels or "imagesets" in each.folder.lower()
    return is_of_voc and labels <= {"1", "0", "-1"} and bool(parts_of(each.name).rest)
