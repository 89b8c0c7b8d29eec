"""What a check has to say: kinds of findings, how grave each is, and what to do about it."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from striate.data.index import Index

SHOWN = 4  # paths in a sentence
EXAMPLES = 5  # findings of a kind that are printed one by one


class Severity(StrEnum):
    """How grave a finding is, the gravest first."""

    ERROR = "error"
    """It would make a result untrue: exit code 3."""

    WARNING = "warning"
    """It may harm what is learned, or is likely a mistake."""

    INFO = "info"
    """It is dealt with, or harmless, and good to know."""


@dataclass(frozen=True)
class Kind:
    """What findings of one kind have in common."""

    severity: Severity
    title: str
    advice: str


ERROR, WARNING, INFO = Severity
KINDS = {
    "leak": Kind(ERROR, "the same image, or nearly, in several splits", "A score would count what was trained on."),
    "conflict": Kind(
        ERROR,
        "the same image, or nearly, under several classes",
        "Not all can be right; `striate check --fix` leaves them out.",
    ),
    "twins": Kind(ERROR, "classes that show the same images", "Leave one of each two out, or give both one name."),
    "untaught": Kind(ERROR, "classes of val or test that train lacks", "Look for a misspelt folder or label."),
    "too-many-bad": Kind(ERROR, "too many unreadable images", "Mend or remove them, or raise --max-bad."),
    "unreadable": Kind(WARNING, "cannot be read", "Left out of everything."),
    "left-out": Kind(WARNING, "left out already", "Left out of everything."),
    "box-empty": Kind(WARNING, "boxes without width or height", "Draw them again."),
    "box-outside": Kind(WARNING, "boxes wholly outside their image", "Look for swapped or rescaled coordinates."),
    "box-turned": Kind(
        WARNING,
        "boxes of images as they are stored, before their EXIF orientation turns them",
        "Remove the EXIF orientation of all images, if all were annotated so.",
    ),
    "mask-unreadable": Kind(WARNING, "masks that cannot be used", "Mend or remove them."),
    "mask-missing": Kind(WARNING, "images without a mask", "They are not trained on where masks are learned."),
    "mask-classes": Kind(
        WARNING, "classes with next to no pixels", "Look for stray values, or name those meant with --mask-classes."
    ),
    "mask-values": Kind(WARNING, "masks with values that mean nothing", "Such pixels are ignored."),
    "mask-shape": Kind(WARNING, "masks of another shape than their image", "They may belong to other images."),
    "duplicate": Kind(
        WARNING,
        "copies, or nearly, within a class and split",
        "They count more than once; a split that striate makes keeps them together.",
    ),
    "suffix": Kind(WARNING, "names that do not fit the content", "They are read by their content; rename them."),
    "tiny": Kind(WARNING, "tiny images", "They hold next to nothing."),
    "narrow": Kind(WARNING, "long or narrow images", "A square crop sees a small part of them."),
    "blank": Kind(WARNING, "images of one colour alone", "They hold nothing to learn from."),
    "animated": Kind(WARNING, "files of several images", "Only the first of each is used."),
    "one-class": Kind(
        WARNING, "images of one class alone", "Training takes two or more: add images of something else."
    ),
    "few": Kind(WARNING, "classes with few images in train", "Nobody can tell how well they are learned."),
    "imbalance": Kind(WARNING, "classes of very different sizes", "Try --sampling balanced."),
    "similar-names": Kind(WARNING, "class names that look like the same", "Rename one of them, if they mean the same."),
    "unlabelled": Kind(WARNING, "images without a label", "They are not trained on."),
    "box-clipped": Kind(INFO, "boxes that reach over the edge", "They are cut there."),
    "mask-size": Kind(INFO, "masks of another size than their image", "They are brought to its size, nearest pixel."),
    "mixed-grey": Kind(INFO, "grey images among coloured ones", "They are read as RGB."),
    "alpha": Kind(INFO, "images with transparency", "It is laid over white."),
    "turned": Kind(INFO, "images turned by their EXIF orientation", "They are turned upright when read."),
    "not-asked": Kind(INFO, "classes of train that val or test lacks", "Nothing is measured of them there."),
}


@dataclass(frozen=True)
class Finding:
    """What is wrong or odd with one image, several that belong together, or the classes."""

    kind: str
    """One of KINDS."""

    reason: str
    paths: tuple[str, ...] = ()
    """Of the images that it is about, as they stand in the index."""

    rows: tuple[int, ...] = ()
    """Their row numbers."""

    used: bool = True
    """Whether they are used nevertheless."""

    @property
    def path(self) -> str:
        """Of its first image; empty where it is about none."""
        return self.paths[0] if self.paths else ""

    @property
    def severity(self) -> Severity:
        """How grave it is, which its kind says."""
        return KINDS[self.kind].severity

    def __str__(self) -> str:
        """What is wrong, and with which images, the first few of them; of a single one, its path comes first."""
        if len(self.paths) == 1:
            return f"{self.path}: {self.reason}"
        more = len(self.paths) - SHOWN
        named = ", ".join([*self.paths[:SHOWN], *([f"… and {more:,} more"] if more > 0 else [])])
        return f"{self.reason}: {named}" if named else self.reason


def about(kind: str, reason: str, index: Index, rows: Sequence[int]) -> Finding:
    """A finding about rows of an index."""
    return Finding(kind, reason, tuple(index.paths(rows)), tuple(rows))


def by_kind(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings of each kind that has any, the gravest kinds first."""
    groups: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    for finding in findings:
        groups[finding.kind].append(finding)
    return {kind: group for kind, group in groups.items() if group}


def lines_of(kind: str, findings: Sequence[Finding], others: str) -> Iterator[str]:
    """What a person reads of the findings of a kind: how grave it is, what follows from it, and the first of them.

    Args:
        kind: a key of `KINDS`.
        findings: of this kind.
        others: where those are that are not shown: the end of a sentence, with the sign before it.
    """
    of_kind = KINDS[kind]
    count = f": {len(findings):,}" if len(findings) > 1 else ""
    yield f"{of_kind.severity.value}: {of_kind.title}{count}. {of_kind.advice}"
    for finding in findings[:EXAMPLES]:
        yield f"  {finding}"
    if len(findings) > EXAMPLES:
        yield f"  … and {len(findings) - EXAMPLES:,} more{others}"


def left_out_lines(reasons: Iterable[str]) -> Iterator[str]:
    """A line for each reason why images are left out, with the number of them.

    >>> list(left_out_lines(["it shows no object", "it shows no object"]))
    ['left out, because it shows no object: 2 images']
    """
    for reason, count in Counter(reasons).items():
        yield f"left out, because {reason}: {count:,} image{'s' if count > 1 else ''}"


def write_findings(findings: Sequence[Finding], path: Path) -> None:
    """Writes findings as a CSV of path, used (yes or no), reason and kind: a line for each image of each finding."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "used", "reason", "kind"))
        for finding in findings:
            used = "yes" if finding.used else "no"
            writer.writerows((path, used, finding.reason, finding.kind) for path in finding.paths or ("",))
