"""Text files that list images: those of a split, or each with its label."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from striate.data.layouts.annotation_files import text_kind
from striate.data.layouts.columns import splits_of_values
from striate.data.layouts.finder import ImageFinder, stem
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import is_document, parts_of, split_of_path, words
from striate.data.layouts.sheet import open_text_sheet
from striate.data.layouts.text_file import read_lines
from striate.data.layouts.tree import Tree
from striate.errors import DataError
from striate.files import list_names

SUFFIXES = (".txt", ".lst", ".list")
MOST = 300  # lists of a tree that are looked into
LABEL_AND_BOX = re.compile(r"[^\s,]*[^\s,0-9.-][^\s,]*(\s+-?[0-9.]+){4}")  # as of Tiny ImageNet's val
LONG = 300  # characters of what is no label and box
FEW = 8  # labels that may all be splits
HEAD = 40  # lines that tell how a list is written
BOTH = ("trainval", "train_val", "train-val")  # names of lists of train and val together
NUMBERS = re.compile(
    r"(-?[0-9.]+[ ,]+){3,}-?[0-9.]+"
)  # what is said of an image, where it is no label: boxes, attributes
PARTITION = {"partition", "partitions", "split", "splits"}  # words of names of lists of an image and its split
FLAGS = {"0", "1", "-1"}
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
    is_boxed: bool = False
    """Whether each label was followed by the four numbers of a box, which are left out."""

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
    def partition(self) -> dict[str, str]:
        """The split that each label means, where labels are splits: `train`, `test`, or 1 of `train_test_split`."""
        labels = {label for _, label in self.rows[1:] if label}  # the first may be a header
        if self.name.lower() == IN_TRAIN and labels <= {"0", "1"}:
            return {"1": "train", "0": "test"}
        found = splits_of_values(labels, "split") if len(labels) < FEW else {}
        splits = {label: split for label, split in found.items() if split}
        return splits if len(set(splits.values())) > 1 and len(splits) == len(found) else {}

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
    return (values[-1], values[1]) if len(values) == 3 and values[0].isdecimal() else ("", "")


def _comma(line: str) -> Row:
    path, _, label = line.partition(",")
    return path.strip(), label.strip()


WAYS: Sequence[Parse] = (_between, _whole, _label_last, _label_rest, _label_first, _comma)  # of equals, the first


def read_list(tree: Tree, file: str, finder: ImageFinder) -> ImageList | None:
    """The rows of a text file of which half the lines or more name an image of their own; None of another."""
    try:
        lines = [line for line in read_lines(tree.read_name(file)) if line and not line.startswith("#")]
    except DataError:
        return None
    folder, split = file.rpartition("/")[0], ImageList(file, []).split
    lines = _with_paths(tree, file, lines)
    head = lines[:: max(len(lines) // HEAD, 1)]
    if not head:
        return None

    def fit(way: Parse) -> int:
        return len({finder.find(way(line)[0], folder, split) for line in head} - {None})

    best = max(WAYS, key=fit)
    if 2 * fit(best) < len(head) or not fit(best) or all(_is_no_label(best(line)[1]) for line in head):
        return None
    rows = [best(line) for line in lines]
    is_boxed = all(len(label) < LONG and LABEL_AND_BOX.fullmatch(label) for _, label in rows[:HEAD])
    if is_boxed:
        rows = [(path, label.split(maxsplit=1)[0] if label else "") for path, label in rows]
    return ImageList(file, rows, is_boxed)


def _is_no_label(text: str) -> bool:
    """Whether four numbers or more are said of an image, such as a box; not whether it shows each of many classes."""
    return NUMBERS.fullmatch(text) is not None and not set(text.split()) <= FLAGS


def _with_paths(tree: Tree, file: str, lines: list[str]) -> list[str]:
    """The lines of a list of CUB-200, which numbers its images, with the paths of images.txt for the numbers."""
    folder, _, name = file.rpartition("/")
    numbered = f"{folder}/{IMAGES}" if folder else IMAGES
    if name.lower() not in NUMBERED or numbered not in set(tree.others(".txt")):
        return lines
    path_of = {line.partition(" ")[0]: line.partition(" ")[2] for line in read_lines(tree.read_name(numbered))}
    parted = (line.partition(" ") for line in lines)
    return [f"{path_of.get(number, number)} {rest}" for number, _, rest in parted]


def lists_of(tree: Tree, finder: ImageFinder) -> Iterator[ImageList]:
    """The lists of a tree, and the tables that say nothing but the split of each image."""
    if not tree.top.count:
        return
    tables = [path for path in tree.others(".csv") if PARTITION & set(words(path.rpartition("/")[2]))]
    for number, file in enumerate([*tree.others(*SUFFIXES), *tables]):
        name = file.rpartition("/")[2]
        is_of_one_image = finder.find(stem(name), file.rpartition("/")[0]) is not None
        if (
            number < MOST
            and not (is_document(name) or is_of_one_image or name.lower() in COLOURS)
            and text_kind(tree.read_name(file)) is None
            and (file in tables or open_text_sheet(tree.read_name(file)) is None)
        ):
            found = read_list(tree, file, finder)
            if found is not None and (file not in tables or found.partition):
                yield found


def find(tree: Tree, finder: ImageFinder) -> list[Layout]:
    """A reading for each list of images with labels, or for those of the splits of one data set."""
    groups: dict[tuple[str, str], list[ImageList]] = {}
    for each in lists_of(tree, finder):
        if each.has_labels and not _is_of_one_class(each) and not _is_numbering(each) and not each.partition:
            rest = " ".join(parts_of(each.name).rest) if each.split else f"/{each.file}"
            groups.setdefault((each.folder, rest), []).append(each)
    layouts = []
    for members in _together(groups):
        files = tuple(each.file for each in members)
        named = [f"{each.split} ({each.file})" if each.split and len(members) > 1 else each.file for each in members]
        layouts.append(Layout("lists", f"a list of images and labels: {list_names(named, 4)}", tree, files))
    return layouts


def _together(groups: dict[tuple[str, str], list[ImageList]]) -> list[list[ImageList]]:
    """The lists that are the splits of one data set: named alike but for the split or, of a folder, one for each."""
    groups = {key: without_both(group) for key, group in groups.items()}
    folders: dict[str, list[list[ImageList]]] = {}
    for (folder, _), group in groups.items():
        folders.setdefault(folder, []).append(group)
    found: list[list[ImageList]] = []
    for of_folder in folders.values():
        lists = [each for group in of_folder for each in group if each.split]
        if all(len(group) == 1 for group in of_folder) and _are_splits(lists):
            found += [lists] + [group for group in of_folder if not group[0].split]
            continue
        for group in of_folder:
            found += [group] if _are_splits(group) else [[each] for each in group]
    return found


def _are_splits(group: Sequence[ImageList]) -> bool:
    return len({each.split for each in group}) == len(group) > 1


def without_both(lists: list[ImageList]) -> list[ImageList]:
    """Lists without those of train and val together, where there is one of each."""
    alone = [each for each in lists if not each.name.lower().endswith(BOTH)]
    return alone if {"train", "val"} <= {each.split for each in alone} else lists


def _is_numbering(each: ImageList) -> bool:
    """Whether what a list says of each image is its own number or name alone, or whether it is for train."""
    labels = [label for _, label in each.rows]
    return each.name.lower() == IN_TRAIN or (len(labels) > 2 and len(set(labels)) == len(labels))


def _is_of_one_class(each: ImageList) -> bool:
    """Whether a list says of each image whether it shows one class, as those of Pascal VOC do: dog_train.txt."""
    labels = {label for _, label in each.rows}
    is_of_voc = "-1" in labels or "imagesets" in each.folder.lower()
    return is_of_voc and labels <= {"1", "0", "-1"} and bool(parts_of(each.name).rest)
