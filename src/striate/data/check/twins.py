"""Classes that show the same things twice: told in one line a pair, not image by image.

Caltech-101 has such a pair: `Faces_easy` are the images of `Faces`, cropped. Those are no copies by `duplicates`, so a
few images of classes whose names say that one is a version of the other are compared by their local features.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from striate.augment.geometry import Map, crop
from striate.data.check.classes import classes_of
from striate.data.check.duplicates import Copies
from striate.data.check.findings import Finding, about
from striate.data.decode import UnreadableError
from striate.data.images import Images
from striate.data.index import Index
from striate.data.layouts.names import words

LEAST = 5  # images that two classes share, below which each is named by itself
SHARE = 0.2  # of the smaller class
PAIRS = 20  # of classes whose names are alike, that are compared
SAMPLE = 6  # images of such a pair
SIDE = 320  # pixels: the longer side of what is compared
FEATURES = 500  # of an image, the strongest
RATIO = 0.75  # of the distances to the nearest and the next nearest feature: Lowe 2004, sec. 7.1, has 0.8
OFF = 4.0  # pixels by which a feature may miss its place
AGREE = 30  # features that agree on one scale, turn and shift; see docs/check.md for what was measured

ClassPair = tuple[str, ...]
Features = tuple[Sequence[cv2.KeyPoint], NDArray[np.float32] | None]


def shared(index: Index, copies: Iterable[Copies]) -> dict[ClassPair, list[int]]:
    """The rows of the copies that two classes share, of each pair of classes that shares many."""
    copies = list(copies)
    if not copies:
        return {}
    names = classes_of(index)
    sizes = Counter(names[row] for row in np.flatnonzero(index.usable()).tolist())
    rows: defaultdict[ClassPair, list[int]] = defaultdict(list)
    groups: Counter[ClassPair] = Counter()
    for group in copies:
        classes = {names[row] for row in group.rows}
        pair = tuple(sorted(name for of in classes for name in of))
        if len(pair) == 2 and all(len(of) == 1 for of in classes):
            rows[pair] += group.rows
            groups[pair] += 1
    return {
        pair: sorted(of)
        for pair, of in rows.items()
        if groups[pair] >= max(LEAST, SHARE * min(sizes[name,] for name in pair))
    }


def twin_findings(index: Index, shared_rows: dict[ClassPair, list[int]], images: Images) -> Iterator[Finding]:
    """Pairs of classes that share many images, then pairs of which one shows those of the other, cropped or resized."""
    names = classes_of(index) if shared_rows else []
    for (one, other), rows in shared_rows.items():
        count = min(sum(names[row] == (name,) for row in rows) for name in (one, other))
        reason = f"{one} and {other}: {count:,} images of each are copies, or nearly, of the other's"
        yield about("twins", reason, index, rows)
    for one, other, pairs in _versions(index):
        if (one, other) not in shared_rows and all(_show_the_same(images, *pair) for pair in pairs):
            reason = f"{one} and {other}: each of {len(pairs)} images looked at is part of the other's of the same name"
            yield about("twins", reason, index, [row for pair in pairs for row in pair])


def _versions(index: Index) -> Iterator[tuple[str, str, list[tuple[int, int]]]]:
    """Pairs of classes whose names and files' names are alike, and some pairs of rows whose files have one name."""
    if index.several_labels:
        return
    split_words = {name: tuple(words(name)) for name in index.classes}
    begin_alike = defaultdict(list)
    for name, of in split_words.items():
        begin_alike[of[:1]].append(name)
    wanted = [
        tuple(sorted(pair))
        for names in begin_alike.values()
        for pair in combinations(names, 2)
        if _extends(split_words[pair[0]], split_words[pair[1]])
    ][:PAIRS]
    rows_of = _rows_by_file(index, {name for pair in wanted for name in pair})
    for one, other in wanted:
        both = sorted(rows_of[one].keys() & rows_of[other].keys())
        if len(both) >= max(LEAST, len(rows_of[one]) / 2, len(rows_of[other]) / 2):
            some = both[:: -(-len(both) // SAMPLE)]
            yield one, other, [(rows_of[one][file], rows_of[other][file]) for file in some]


def _extends(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one name is the other with words after it."""
    short, long = sorted((one, other), key=len)
    return len(short) < len(long) and long[: len(short)] == short


def _rows_by_file(index: Index, names: set[str]) -> dict[str, dict[str, int]]:
    """Of each of these classes, its usable rows by the name of their file."""
    rows: dict[str, dict[str, int]] = {name: {} for name in names}
    numbers = [number for number, name in enumerate(index.classes) if name in names]
    usable = np.flatnonzero(index.usable() & index.labelled())
    usable = usable[np.isin(index.labels(usable), numbers)]
    for row, label, path in zip(usable.tolist(), index.labels(usable).tolist(), index.paths(usable), strict=True):
        rows[index.classes[int(label)]][path.rpartition("/")[2]] = row
    return rows


def _show_the_same(images: Images, one: int, other: int) -> bool:
    """Whether many local features of one image lie in the other, all moved, turned and scaled alike.

    Source: Lowe 2004, "Distinctive image features from scale-invariant keypoints", sec. 7.
    """
    try:
        (points, about_points), (others, about_others) = _features(images, one), _features(images, other)
    except UnreadableError:
        return False
    if about_points is None or about_others is None or len(others) < 2:
        return False
    nearest = cv2.BFMatcher().knnMatch(about_points, about_others, k=2)
    matches = [first for first, second in nearest if first.distance < RATIO * second.distance]
    if len(matches) < AGREE:
        return False
    source = np.array([points[match.queryIdx].pt for match in matches], np.float32)
    target = np.array([others[match.trainIdx].pt for match in matches], np.float32)
    _, agree = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=OFF)
    return agree is not None and int(agree.sum()) >= AGREE


def _features(images: Images, row: int) -> Features:
    """The local features of an image, and what describes each, (N, 128)."""
    image = images.open(row)
    width, height = image.size
    scale = min(1.0, SIDE / max(width, height))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    grey = image.read(Map(crop((0, 0, width, height), size)), size, 1, image.own_levels)
    points, descriptions = cv2.SIFT_create(FEATURES).detectAndCompute(np.ascontiguousarray(grey[..., 0]), None)  # type: ignore[attr-defined]
    return points, descriptions
