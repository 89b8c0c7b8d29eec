"""What is wrong or odd with the classes: too few images, taught in no split, two names for one."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa

from striate.data.check.findings import Finding, about
from striate.data.index import SPLITS, Index
from striate.files import list_names

FEW = 10  # images
IMBALANCE = 10.0  # times as many
LONG_NAME = 6  # letters; of shorter names, many that differ by one letter are words of their own
MOST_ALIKE = (
    50  # names, that one letter tells apart: of more, it is meant to, and there are as many pairs as their square
)
LONGEST_NAME = 80  # letters; a longer one is compared with none, which would take as much room as it has letters


def class_findings(index: Index) -> Iterator[Finding]:
    """What the labels of an index's usable rows tell."""
    counts = class_counts(index)
    given = [split for split in SPLITS if split in counts]
    if "train" in counts:
        yield from _splits(counts, given)
    taught = counts.get("train") or counts.get("") or {}
    if sum(count > 0 for count in taught.values()) == 1 and not _is_marked(index):
        yield Finding("one-class", f"{list_names(name for name, count in taught.items() if count)} alone")
    yield from _sizes(taught)
    yield from _names(index.classes)
    unmasked = np.asarray(index.table["mask"].is_null())
    unlabelled = np.flatnonzero(index.usable() & ~index.labelled() & unmasked)
    if len(unlabelled):
        reason = f"{len(unlabelled):,} of {int(index.usable().sum()):,} images"
        yield about("unlabelled", reason, index, unlabelled.tolist())


def _is_marked(index: Index) -> bool:
    """Whether images have boxes or masks, of which one class is enough to learn from."""
    return any(index.table[name].null_count < len(index) for name in ("box", "boxes", "mask"))


def split_counts(index: Index) -> dict[str, int]:
    """Usable images in each split that has any; "" is the split of rows that have none yet."""
    splits = Counter(name or "" for name in index.table["split"].filter(pa.array(index.usable())).to_pylist())
    return {split: splits[split] for split in (*SPLITS, "") if splits[split]}


def class_counts(index: Index) -> dict[str, dict[str, int]]:
    """Usable images of each class in each split that has any; "" is the split of rows that have none yet."""
    rows = np.flatnonzero(index.usable() & index.labelled())
    split_of = np.array([name or "" for name in index.table["split"].take(rows).to_pylist()], dtype="<U5")
    counts = {}
    for split in (*SPLITS, ""):
        labels = index.labels(rows[split_of == split])
        if len(labels):
            one_hot_sum = labels.sum(axis=0) if index.several_labels else np.bincount(labels.astype(np.int64))
            numbers = np.zeros(len(index.classes), np.int64)
            numbers[: len(one_hot_sum)] = one_hot_sum
            counts[split] = dict(zip(index.classes, numbers.tolist(), strict=True))
    return counts


def classes_of(index: Index, rows: Sequence[int] | None = None) -> list[tuple[str, ...]]:
    """The names of the class, or classes, of each of `rows`, or of all; none where it has no label."""
    chosen = index.table["labels" if index.several_labels else "label"]
    column = (chosen if rows is None else chosen.take(pa.array(rows, pa.int64()))).to_pylist()
    if index.several_labels:
        labels: list[list[int] | None] = column
    else:
        labels = [[label] if label >= 0 else None for label in column]
    return [tuple(index.classes[label] for label in sorted(row or ())) for row in labels]


def _splits(counts: dict[str, dict[str, int]], given: Sequence[str]) -> Iterator[Finding]:
    train = counts["train"]
    for split in given:
        untaught = [name for name, count in counts[split].items() if count and not train[name]]
        if untaught:
            yield Finding("untaught", f"{split} has images of {list_names(untaught)}; train has none")
        missing = [name for name, count in counts[split].items() if train[name] and not count]
        if missing:
            yield Finding("not-asked", f"{split} has no image of {list_names(missing)}")


def _sizes(counts: dict[str, int]) -> Iterator[Finding]:
    """Of what there is to learn from."""
    filled = {name: count for name, count in counts.items() if count}
    if not filled:
        return
    single = [name for name, count in filled.items() if count < 2]
    few = [name for name, count in filled.items() if 2 <= count < FEW]
    if single:
        yield Finding("few", f"1 image alone: {list_names(single)}")
    if few:
        yield Finding("few", f"fewer than {FEW} images: {list_names(few)}")
    largest, smallest = max(filled, key=filled.__getitem__), min(filled, key=filled.__getitem__)
    ratio = filled[largest] / filled[smallest]
    if ratio >= IMBALANCE:
        yield Finding(
            "imbalance",
            f"{filled[largest]:,} images of {list_names([largest])}, {filled[smallest]:,} of {list_names([smallest])}: "
            f"{ratio:.0f} times as many",
        )


def _names(classes: Sequence[str]) -> Iterator[Finding]:
    plain = defaultdict(list)
    for name in classes:
        plain[re.sub(r"[\s_.-]+", "", name).casefold()].append(name)
    for names in plain.values():
        if len(names) > 1:
            yield Finding("similar-names", f"{list_names(names)} differ in capitals, spaces or signs alone")
    for one, other in sorted(_one_letter_apart(plain)):
        yield Finding("similar-names", f"{list_names([plain[one][0], plain[other][0]])} differ by one letter")


def _one_letter_apart(names: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of names that become equal when at most one letter of each is left out; digits tell names apart."""
    shortened = defaultdict(set)
    for name in (each for each in names if len(each) <= LONGEST_NAME):
        for shorter in (name, *(name[:i] + name[i + 1 :] for i in range(len(name)))):
            shortened[shorter].add(name)
    alike = (sorted(each) for each in shortened.values() if len(each) <= MOST_ALIKE)
    pairs = {pair for each in alike for pair in combinations(each, 2)}
    return {
        (one, other)
        for one, other in pairs
        if min(len(one), len(other)) >= LONG_NAME and re.findall(r"\d", one) == re.findall(r"\d", other)
    }
