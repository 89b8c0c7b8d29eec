"""A cleaned index: what should not be used has a reason there. Images and annotations are never touched."""

from collections.abc import Iterable
from dataclasses import replace

from striate.data.check.classes import classes_of
from striate.data.check.duplicates import Copies
from striate.data.check.findings import KINDS
from striate.data.check.run import Check
from striate.data.index import Index

DROPPED = ("box-empty", "box-outside", "box-turned", "mask-unreadable", "mask-shape", "tiny", "blank")  # besides copies
UNTAUGHT = "train has no image of its class"
BEST_KEPT = ("test", "val", "train", None)  # the split in which a copy stays, if it is in several


def cleaned(check: Check) -> Index:
    """The index of a check without what would make a result untrue or was marked wrongly.

    Left out are images that cannot be read; hold nothing; are marked by a box or mask that cannot be right; are
    of a class that train lacks; and of copies all but one: the first in test, else in val, else in train, so that no
    measurement changes; and all of them, where they have different classes. A row that is left out stays in the table,
    with the reason.
    """
    reasons: list[str | None] = check.index.table["reason"].to_pylist()
    for finding in check.findings:
        if finding.kind in DROPPED:
            for row in finding.rows:
                reasons[row] = reasons[row] or f"{KINDS[finding.kind].title}: {finding.reason}"
    _drop_copies(check.index, check.copies, reasons)
    index = check.index.with_column("reason", reasons)
    return replace(_taught(index), root=index.root.resolve())


def _drop_copies(index: Index, copies: Iterable[Copies], reasons: list[str | None]) -> None:
    """Gives a reason to all copies but one, or to all where their classes differ."""
    paths, names = index.paths(), classes_of(index)
    splits: list[str | None] = index.table["split"].to_pylist()
    for group in copies:
        rows = [row for row in group.rows if reasons[row] is None]
        if len({names[row] for row in rows} - {()}) > 1:
            for row in rows:
                other = next(paths[other] for other in rows if names[other] not in ((), names[row]))
                reasons[row] = f"a copy of {other}, which has another class"
        elif rows:
            kept = min(rows, key=lambda row: (BEST_KEPT.index(splits[row]), not names[row], row))
            for row in rows:
                if row != kept:
                    reasons[row] = f"a copy of {paths[kept]}"


def _taught(index: Index) -> Index:
    """Without images of val and test whose class train lacks."""
    train = index.counts("train")
    reasons: list[str | None] = index.table["reason"].to_pylist()
    names = classes_of(index)
    for split in ("val", "test"):
        for row in index.rows(split).tolist():
            if any(train.values()) and not all(train[name] for name in names[row]):
                reasons[row] = UNTAUGHT
    return index.with_column("reason", reasons)
