"""What is wrong or odd with single images, from one look at each."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.check.findings import Finding, about
from striate.data.check.scan import Records, contrast
from striate.data.check.scan_index import Scan
from striate.data.image_formats import GREY_MODES, SUFFIXES
from striate.data.index import Index, Rows
from striate.data.layouts.tree import has_no_suffix, suffix_of

ALPHA_MODES = ("LA", "PA", "RGBA")
TINY = 8  # pixels
NARROW = 10  # times as long as the other side
NARROWER = 4  # times as long or narrow as the median
Test = Callable[[Records], NDArray[np.bool_]]
BLANK = 2.0  # of 255: what noise of compression may reach


def left_out(index: Index, scan: Scan) -> list[Finding]:
    """The rows that are not used: those that could not be read, and those with a reason before."""
    before = index.usable()
    paths = index.paths()
    return [
        Finding("unreadable" if before[row] else "left-out", reason, (paths[row],), (row,), used=False)
        for row, reason in enumerate(scan.reasons)
        if reason is not None
    ]


def wrong_suffixes(index: Index, scan: Scan) -> list[Finding]:
    """Files whose name promises another format than they hold; they are read all the same.

    Files without any suffix are told of by folder.
    """
    found = []
    bare: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    rows = _oddly_named(index, scan)
    formats = [name.decode() for name in scan.records["format"][rows].tolist()]
    for row, path, kind in zip(rows.tolist(), index.paths(rows), formats, strict=True):
        folder, _, name = path.rpartition("/")
        suffix = suffix_of(name)
        if not kind or "#" in suffix:  # an image of a file of many
            continue
        if has_no_suffix(name):
            bare[folder, kind].append(row)
        elif suffix not in SUFFIXES.get(kind, ()):
            reason = f"its content is {kind}, its name ends in {suffix}"
            found.append(Finding("suffix", reason, (path,), (row,)))
    for (folder, kind), without in bare.items():
        count = f"{len(without):,} file{'' if len(without) == 1 else 's'}"
        reason = f"{count} without a suffix in {folder or 'the root'}, {kind} by content"
        found.append(about("suffix", reason, index, without))
    return found


def _oddly_named(index: Index, scan: Scan) -> Rows:
    """The rows, of those that were read, whose path does not end as files of their format commonly do."""
    paths = index.table["path"].take(pa.array(scan.rows))
    odd = np.ones(len(scan.rows), bool)
    formats = scan.records["format"][scan.rows]
    for kind in np.unique(formats).tolist():
        of_kind = np.flatnonzero(formats == kind)
        lower = pc.utf8_lower(paths.take(pa.array(of_kind)))
        fits = [np.asarray(pc.ends_with(lower, suffix)) for suffix in SUFFIXES.get(kind.decode(), ())]
        odd[of_kind] = ~np.logical_or.reduce(fits) if fits else bool(kind)  # bare pixels have no format
    return np.asarray(scan.rows[odd])


def odd_images(index: Index, scan: Scan) -> Iterator[Finding]:
    """Images of odd size or content, each by itself, then what many of them have in common."""
    for kind, is_odd in {**ODD, "narrow": _narrow(scan)}.items():
        for row in scan.rows_where(is_odd).tolist():
            record = scan.records[row]
            size = f"{record['width']} x {record['height']} pixels"
            reason = {"blank": f"one colour alone, {size}", "animated": f"{record['frames']} images in one file"}
            yield about(kind, reason.get(kind, size), index, [row])
    total = len(scan.rows)
    for kind, is_odd in ODD_TOGETHER.items():
        rows = scan.rows_where(is_odd)
        if len(rows) and not (kind == "mixed-grey" and len(rows) == total):
            yield _shared(kind, index, rows, total)


def _narrow(scan: Scan) -> Test:
    """Whether images are long or narrow, by themselves or beside the others, in whose shape training may show all."""
    usual = float(np.median(_shapes(scan.records[scan.rows]))) if len(scan.rows) else 1.0

    def is_narrow(records: Records) -> NDArray[np.bool_]:
        shape, long = _shapes(records), np.maximum(records["width"], records["height"])
        beside = shape / usual
        odd = (np.maximum(shape, 1 / shape) >= NARROW) | (np.maximum(beside, 1 / beside) >= NARROWER)
        return np.asarray(odd & (long >= TINY))

    return is_narrow


def _shapes(records: Records) -> NDArray[np.float64]:
    """(N,) width over height."""
    return np.asarray(records["width"] / records["height"])


def _has_mode(modes: tuple[str, ...]) -> Test:
    return lambda records: np.isin(records["mode"], [mode.encode() for mode in modes])


ODD: dict[str, Test] = {
    "tiny": lambda records: np.minimum(records["width"], records["height"]) < TINY,
    "blank": lambda records: contrast(records) < BLANK,
    "animated": lambda records: records["frames"] > 1,
}
ODD_TOGETHER: dict[str, Test] = {
    "mixed-grey": _has_mode(GREY_MODES),
    "alpha": _has_mode(ALPHA_MODES),
    "turned": lambda records: records["orientation"] != 1,
}


def _shared(kind: str, index: Index, rows: Rows, total: int) -> Finding:
    return about(kind, f"{len(rows):,} of {total:,} images", index, rows.tolist())
