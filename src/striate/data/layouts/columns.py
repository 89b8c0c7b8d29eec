"""What the columns of a table mean: by their names where they are common ones, and by what they hold."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from striate.data.image_formats import IMAGE_SUFFIXES
from striate.data.layouts.names import split_of
from striate.data.layouts.sheet import Sheet
from striate.data.layouts.synonyms import (
    CORNERS,
    FLAGS,
    LABELS,
    NO_LABELS,
    ONE_BOX,
    PATHS,
    SIZES,
    SPLITS,
    plain,
)
from striate.data.layouts.tree import suffix_of
from striate.errors import DataError, nearest
from striate.files import list_names

TRUE = frozenset({"1", "1.0", "true", "yes"})
FALSE = frozenset({"0", "0.0", "false", "no", "-1", "-1.0"})
FLAG_SPLITS = {  # the split of what is false and of what is true
    **dict.fromkeys(("isvalid", "isval", "isvalidation"), ("train", "val")),
    "istest": ("train", "test"),
    **dict.fromkeys(("istrain", "istraining", "istrainingimage"), ("test", "train")),
}
FOLDS = ("fold", "kfold", "folds")
WRITTEN = re.compile(r"([^\s0-9.-]\S*(\s+-?[0-9.]+){4}\s*)+")  # ant 1 2 9 8 bee 3 4 9 9
FOLD_NUMBER = re.compile(r"(-?[0-9]{1,9})(\.0)?")
SHORT = {"va": "val", "v": "val"}  # beside tr and te
PARTITIONS = {"0": "train", "1": "val", "2": "test"}
OBJECTS = "objects"
COUNTING = ("count", "id", "number", "index")  # how names end of columns that hold 0 and 1 by chance
AUTOML = 11  # columns: split, image, class, and x and y of four corners, of which the first and the third suffice
Find = Callable[[str], str | None]


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns by what they hold; None or () for what it lacks."""

    path: str | None
    label: str | None = None
    one_hot: tuple[str, ...] = ()
    split: str | None = None
    corners: tuple[str, ...] = ()
    """Of boxes: of xmin, ymin, xmax and ymax, or of x, y, width and height."""

    has_sizes: bool = False
    """Whether `corners` are x, y, width and height."""

    box: str | None = None
    """The column that holds all four numbers of a box."""

    objects: str | None = None
    """The column that holds all objects of an image, as JSON like Hugging Face's, or as Kaggle's PredictionString."""

    found: int = 0
    """Rows at the beginning of the table whose path means an image that is there."""

    others: tuple[str, ...] = ()
    """Other columns that could be the labels, and say something else."""

    @property
    def has_boxes(self) -> bool:
        """Whether a row is an object rather than an image, or holds objects."""
        return bool(self.corners or self.box or self.objects)

    @property
    def has_labels(self) -> bool:
        """Whether the table says a class of its images."""
        return bool(self.label or self.one_hot or self.has_boxes)


def columns_of(sheet: Sheet, path_column: str, label_column: str, weight_column: str, find: Find) -> Columns:
    """What the columns of a table mean.

    A column that is named as `path_column` or `label_column` says is always that.

    Args:
        sheet: the table.
        path_column: name of the column of paths.
        label_column: name of the column of labels.
        weight_column: name of the column of weights, which is neither.
        find: gives the image that a text means.
    """
    by_plain = {plain(name): name for name in reversed(sheet.names)}
    corners, has_sizes = _corners(sheet, by_plain)
    box = next((by_plain[name] for name in ONE_BOX if name in by_plain), None)
    split = next((by_plain[name] for name in SPLITS if name in by_plain and _may_split(sheet, by_plain[name])), None)
    split = split or (None if sheet.has_header else _unnamed_split(sheet))
    path = path_column if path_column in sheet.names else _path(sheet, by_plain, find)
    found = 0 if path is None else _found(sheet, path, find)
    taken = {path, split, weight_column, box if not corners else None, *corners}
    several = tuple(name.strip() for name in label_column.split(","))
    if len(several) > 1 and set(several) <= set(sheet.names):
        return Columns(path, None, several, split, found=found)
    if label_column in sheet.names:
        beside = {plain(name): name for name in reversed(sheet.names) if name not in taken}
        label_column = next(iter(_names_of(sheet, label_column, beside)), label_column)
        return Columns(path, label_column, (), split, corners, has_sizes, None if corners else box, found=found)
    free = [name for name in sheet.names if name not in taken]
    written = next((name for name in free if not corners and _are_written(_texts(sheet, name))), None)
    label, others = _label(sheet, [name for name in free if name != written])
    objects = None if label else OBJECTS if OBJECTS in free else written
    one_hot = () if label or corners or objects else _one_hot(sheet, free)
    return Columns(path, label, one_hot, split, corners, has_sizes, None if corners else box, objects, found, others)


def with_header(sheet: Sheet, find: Find) -> Sheet:
    """The table as one without a header, where its first row names an image by a name without suffix."""
    if sheet.has_header and sheet.records is None and any(map(find, sheet.names)):
        names = tuple(f"column {place + 1}" for place in range(len(sheet.names)))
        return replace(sheet, names=names, has_header=False)
    return sheet


def require_columns(sheet: Sheet, columns: Columns, path_column: str, label_column: str) -> None:
    """Stops where a table lacks a column of paths or of labels.

    Raises:
        DataError: if it does, or if two columns could be the labels.
    """
    needed = [(columns.path, path_column, "--path-column"), (columns.has_labels, label_column, "--label-column")]
    for found, name, flag in needed:
        if not found:
            hint = nearest(name, sheet.names) if sheet.names else "The file is empty."
            got = list_names(sheet.names, 12) or "none"
            raise DataError(f"{sheet.path}: expected a column `{name}` ({flag}); got {got}. {hint}")
    if columns.others:
        raise DataError(
            f"{sheet.path}: expected one column of labels; got {list_names([columns.label or '', *columns.others])}, "
            "which say different things. Choose one with --label-column."
        )


def _path(sheet: Sheet, by_plain: dict[str, str], find: Find) -> str | None:
    """The column of paths: one that images are found by, else one that is named so or holds names of images."""
    named = [by_plain[name] for name in PATHS if name in by_plain]
    unnamed = [name for name in sheet.names if not sheet.has_header or _has_suffixes(sheet, name)]
    names = dict.fromkeys([*(name for name in named if _has_suffixes(sheet, name)), *named, *unnamed])
    for name in names:
        given = sum(map(bool, _texts(sheet, name)))
        if given and 2 * _found(sheet, name, find) >= given:
            return name
    return next((name for name in names if _has_suffixes(sheet, name)), named[0] if named else None)


def _found(sheet: Sheet, name: str, find: Find) -> int:
    return sum(find(text) is not None for text in _texts(sheet, name) if text)


def _has_suffixes(sheet: Sheet, name: str) -> bool:
    texts = [text for text in _texts(sheet, name) if text]
    return bool(texts) and 2 * sum(suffix_of(text) in IMAGE_SUFFIXES for text in texts) > len(texts)


def _texts(sheet: Sheet, name: str) -> list[str]:
    place = sheet.names.index(name)
    return [values[place] for values in sheet.head]


def _label(sheet: Sheet, free: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The column of labels by its name or, of a table without names, the only column left that is no number.

    Of several that part the rows alike, one of names goes before one of numbers.
    """
    by_plain = {plain(name): name for name in reversed(free) if len(name) == 1 or len(plain(name)) > 1}  # `y`, not `y]`
    for rank in LABELS:
        named = [by_plain[name] for name in rank if name in by_plain]
        if rank is LABELS[-1]:
            named = [name for name in named if not _are_all_different(_texts(sheet, name))]
        if named:
            break
    else:
        named = _only_one(sheet, free) if sheet.has_header else _unnamed(sheet, free)
    if not named:
        return None, ()
    named.sort(key=lambda name: _are_numbers(_texts(sheet, name)))
    named = [*_names_of(sheet, named[0], by_plain), *named]
    others = tuple(name for name in named[1:] if not _part_alike(_texts(sheet, named[0]), _texts(sheet, name)))
    return named[0], others


def _are_all_different(texts: Sequence[str]) -> bool:
    """Whether a column called `id` or `name` has another value in each row, and so says which image it is."""
    return len(texts) > 1 and len(set(texts)) == len(texts)


def _are_written(texts: Iterable[str]) -> bool:
    """Whether a column holds the classes and the corners of the boxes of each image as one text."""
    given = [text for text in texts if text]
    return bool(given) and all(map(WRITTEN.fullmatch, given))


def _names_of(sheet: Sheet, label: str, by_plain: dict[str, str]) -> list[str]:
    """The column of names that goes with a column of numbers, such as `ClassName` with `Label`."""
    numbers = _texts(sheet, label)
    if not _are_numbers(numbers) or len(set(numbers)) < 2:
        return []
    known = (by_plain[name] for rank in LABELS for name in rank if name in by_plain)
    beside = [(name, _texts(sheet, name)) for name in known if name != label]
    return [name for name, texts in beside if not _are_numbers(texts) and _part_alike(numbers, texts)][:1]


def _only_one(sheet: Sheet, free: Sequence[str]) -> list[str]:
    """The only column beside the images, by whatever name, where it says yes and no, or names that come again."""
    texts = [text for text in _texts(sheet, free[0]) if text] if len(free) == 1 else []
    if not 1 < len(set(texts)) <= len(texts) // 2 or plain(free[0]) in (*FLAGS, *NO_LABELS):
        return []
    return list(free) if _is_flag(texts) or not _are_numbers(texts) else []


def _unnamed(sheet: Sheet, free: Sequence[str]) -> list[str]:
    texts = [name for name in free if not _are_numbers(_texts(sheet, name))]
    return list(texts if len(texts) == 1 else free if len(free) == 1 else [])


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", text, re.IGNORECASE) for text in texts if text)


def _part_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two columns part the rows in the same way: a value of one goes with one of the other."""
    pairs = set(zip(one, other, strict=True))
    return len(pairs) == len(set(one)) == len(set(other))


def _one_hot(sheet: Sheet, free: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold nothing but 0 and 1, true and false, or 1 and -1, where there are two or more.

    Other columns beside them are those of a patient or a place only where each row has one class, or where the classes
    are four or more, stand side by side, and are as many as the others.
    """
    found = [
        name
        for name in free
        if plain(name) not in FLAGS and not plain(name).endswith(COUNTING) and _is_flag(_texts(sheet, name))
    ]
    places = [sheet.names.index(name) for name in found]
    once = all(sum(values[place].lower() in TRUE for place in places) == 1 for values in sheet.head)
    rest = [name for name in free if name not in found and plain(name) not in FLAGS]
    side_by_side = len(found) >= max(4, len(rest)) and places[-1] - places[0] == len(places) - 1
    return tuple(found) if len(found) > 1 and (once or not rest or side_by_side) else ()


def _is_flag(texts: Sequence[str]) -> bool:
    """Whether a column says yes or no; an empty cell is a no where others say yes."""
    found = {text.lower() for text in texts}
    return bool(found) and found <= TRUE | FALSE | {""} and ("" not in found or bool(found & TRUE))


def _may_split(sheet: Sheet, name: str) -> bool:
    """Whether a column holds what `splits_of_values` knows; one that is called `split` is believed."""
    texts = {text for text in _texts(sheet, name) if text}
    return plain(name) in SPLITS[:3] or None not in splits_of_values(texts, name).values()


def _unnamed_split(sheet: Sheet) -> str | None:
    """The first column of a table without a header, where it holds two splits or more: TRAIN,gs://bucket/1.jpg,ant."""
    found = {split_of(text) for text in _texts(sheet, sheet.names[0])} if len(sheet.names) > 2 else set()
    return sheet.names[0] if None not in found and len(found) > 1 else None


def splits_of_values(texts: Iterable[str], column: str) -> dict[str, str | None]:
    """The split that each value of a column means; None where it means none, as of an empty one.

    Of folds that are numbers, the lowest is val and the others are train. 0, 1 and 2 are train, val and test.

    >>> splits_of_values(["Training", "PublicTest"], "usage"), splits_of_values(["True", "False"], "is_valid")
    ({'Training': 'train', 'PublicTest': None}, {'True': 'val', 'False': 'train'})
    >>> splits_of_values(["1", "2", "5"], "fold"), splits_of_values(["0", "1", "2"], "partition")
    ({'1': 'val', '2': 'train', '5': 'train'}, {'0': 'train', '1': 'val', '2': 'test'})
    """
    name, given = plain(column), list(texts)
    if name in FLAG_SPLITS and {text.lower() for text in given} <= TRUE | FALSE | {""}:
        return {text: FLAG_SPLITS[name][text.lower() in TRUE] if text else None for text in given}
    numbers = {text: int(found[1]) for text in given if (found := FOLD_NUMBER.fullmatch(text))}
    if name in FOLDS and numbers:
        first = min((number for number in numbers.values() if number >= 0), default=None)
        folds: dict[str, str | None] = {t: "val" if number == first else "train" for t, number in numbers.items()}
        return {text: folds.get(text, split_of(text)) for text in given}
    if set(filter(None, given)) == PARTITIONS.keys():
        return {text: PARTITIONS.get(text) for text in given}
    return {text: SHORT.get(text.lower()) or split_of(text) for text in given}


def _corners(sheet: Sheet, by_plain: dict[str, str]) -> tuple[tuple[str, ...], bool]:
    """The four columns of a box, none where there are none; and whether they are x, y, width and height."""
    for choices, are_sizes in ((CORNERS, False), (SIZES, True)):
        for names in choices:
            if all(name in by_plain for name in names):
                return tuple(by_plain[name] for name in names), are_sizes
    return () if sheet.has_header else _unnamed_corners(sheet), False


def _unnamed_corners(sheet: Sheet) -> tuple[str, ...]:
    """The four columns of a box in a table without a header, by what its first rows hold."""
    if len(sheet.names) == 6:  # image, box, class; image, class, box; class, image, box
        for first in (1, 2):
            boxes = [values[first : first + 4] for values in sheet.head]
            others = [values[:first] + values[first + 4 :] for values in sheet.head]
            count = sum(all(box) and _are_numbers(box) for box in boxes)
            if 2 * count >= len(boxes) > 0 and (first == 1 or not any(_are_numbers(values) for values in others)):
                return sheet.names[first : first + 4]
    if len(sheet.names) == AUTOML:
        boxes = [values[3:5] + values[7:9] for values in sheet.head]
        if all(all(box) and _are_numbers(box) for box in boxes):
            return tuple(sheet.names[place] for place in (3, 4, 7, 8))
    return ()
