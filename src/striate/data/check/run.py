"""The check of a data set: everything that is wrong with it, before an epoch is spent."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.augment.colour import ColourSums
from striate.caches import cache_folder
from striate.data.check.boxes import box_findings
from striate.data.check.cache import DIGEST, cache_file
from striate.data.check.classes import class_counts, class_findings, split_counts
from striate.data.check.depth import Depth, bands_of, depth_of, of_bands
from striate.data.check.duplicates import Copies, copy_findings, find_copies
from striate.data.check.findings import Finding, Severity, by_kind
from striate.data.check.images import left_out, odd_images, wrong_suffixes
from striate.data.check.leaks import Leak, leaks
from striate.data.check.masks import mask_findings, masked
from striate.data.check.scan import colour_sums
from striate.data.check.scan_index import scan_index
from striate.data.check.twins import shared, twin_findings
from striate.data.identity import digest_column
from striate.data.images import IndexedImages
from striate.data.index import Index
from striate.data.split import split
from striate.data.workers import Done, Workers, silent
from striate.errors import DataError
from striate.recipe.ranges import MAX_PIXELS

MAX_BAD = 0.01
Progress = Callable[[str, int], AbstractContextManager[Done]]


@dataclass(frozen=True)
class Check:
    """All that a check has found."""

    before: Index
    """As it was read."""

    index: Index
    """With a reason at each row that cannot be read."""

    findings: tuple[Finding, ...]
    """The gravest first; of one kind, in the order of the rows."""

    copies: tuple[Copies, ...]
    """Images that are there more than once."""

    colours: ColourSums
    """Of all images that can be read, each brought to 64 x 64 pixels."""

    depth: Depth = field(default_factory=Depth)
    """Of images of more than 8 bits."""

    bands: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    """(N,) how many bands each image has; 0 for one that was not read."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found that would make a result untrue."""
        return not self.count(Severity.ERROR)

    def count(self, severity: Severity) -> int:
        """Findings of this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def split(self, *, val_fraction: float, test_fraction: float, seed: int) -> Index:
        """The index split as by the function `split`, which has the arguments, with copies of an image together.

        Where the data parts copies itself, those in train stay; see `leaks`.
        """
        together = [copies.rows for copies in self.copies]
        return split(self.index, val_fraction=val_fraction, test_fraction=test_fraction, seed=seed, together=together)

    def of_bands(self, channels: int | None) -> "Check":
        """The check without images of other bands than `channels`, where these are neither grey nor colours."""
        if channels in (None, 1, 3):
            return self
        return replace(self, index=of_bands(self.index, self.bands, channels))

    def leaks(self, index: Index) -> list[Leak]:
        """The images of train that are copies, or nearly, of images in val or test, as `index` is split."""
        return leaks(index, self.copies)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: see docs/check.md for what each field means."""
        mean, std = mean_std(self.colours)
        return {
            "passed": self.passed,
            "images": len(self.index),
            "notes": list(self.index.notes),
            "usable": int(self.index.usable().sum()),
            "splits": split_counts(self.index),
            "classes": class_counts(self.index),
            "leaks": len(self.leaks(self.index)),
            "pixel_range": self.depth.levels,
            "mean": mean,
            "std": std,
            "counts": {severity.value: self.count(severity) for severity in Severity},
            "kinds": {kind: len(found) for kind, found in by_kind(self.findings).items()},
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity.value,
                    "reason": finding.reason,
                    "paths": list(finding.paths),
                    "used": finding.used,
                }
                for finding in self.findings
            ],
        }


def no_progress(title: str, total: int) -> AbstractContextManager[Done]:
    """Shows nothing."""
    return nullcontext(silent)


def examine(
    index: Index,
    *,
    max_pixels: int = MAX_PIXELS,
    max_bad: float = MAX_BAD,
    workers: int = 1,
    progress: Progress = no_progress,
    folder: Path | None = None,
) -> Check:
    """Checks images, boxes, masks, classes and copies. Each image is decoded once, and not again while it is known.

    Args:
        index: of which rows that already have a reason are not opened.
        max_pixels: an image of more is not decoded and counts as unreadable.
        max_bad: share of unreadable images above which there is an error.
        workers: processes or threads that read and decode.
        progress: called with the title of each part of the work and its number of files or images; what it gives is
            entered, and called with the number done since the last call.
        folder: where what was seen is kept; the user's cache unless given.
    """
    folder = folder or cache_folder("check")
    rows = np.flatnonzero(index.usable())
    paths = pc.replace_substring_regex(
        index.table["path"].take(pa.array(rows)), "#[0-9]+$", ""
    )  # of files that hold many
    files = pc.count_distinct(paths).as_py()
    del paths
    cache = cache_file(folder, index.root)
    with Workers(workers) as shared_out:
        with progress("identifying", files) as advance:
            known = digest_column(index, rows, folder, shared_out, advance)
        usable = pa.array(index.usable())
        contents = pc.replace_with_mask(pa.nulls(len(index), DIGEST), usable, known)
        with progress("looking", len(rows)) as advance:
            scan = scan_index(
                index,
                max_pixels=max_pixels,
                workers=shared_out,
                advance=advance,
                digests=contents,
                cache=cache,
            )
    after = index.with_column("reason", scan.reasons)
    images = IndexedImages(index, max_pixels)
    copies = find_copies(scan, contents, images, workers=workers, cache=cache)
    twins = shared(after, copies)
    with progress("looking at masks", len(masked(index, scan))) as advance:
        masks = mask_findings(index, scan, max_pixels=max_pixels, workers=workers, advance=advance)
    findings = [
        *_bad_share(index, after, max_bad),
        *left_out(index, scan),
        *wrong_suffixes(index, scan),
        *odd_images(index, scan),
        *box_findings(index, scan),
        *masks,
        *class_findings(after),
        *copy_findings(after, copies, twins),
        *twin_findings(after, twins, images),
    ]
    in_order = tuple(finding for found in by_kind(findings).values() for finding in found)
    records = scan.records
    colours, depth, bands = colour_sums(records), depth_of(records), bands_of(records)
    return Check(index, after, in_order, tuple(copies), colours, depth, bands)


def check(
    index: Index, *, max_pixels: int = MAX_PIXELS, workers: int = 1, advance: Done = silent
) -> tuple[Index, list[Finding]]:
    """Decodes every usable image of `index` at a small scale: what has to be known before it is trained on.

    Args:
        index: of which rows that already have a reason are not opened.
        max_pixels: an image of more is not decoded and counts as unreadable.
        workers: threads that decode.
        advance: called with the number of images done since the last call.

    Returns:
        The index with a reason at each row that cannot be read, and the findings, in the order of the rows: those
        rows, the rows that had a reason before, and images that are read but whose name does not fit their content.
    """
    scan = scan_index(index, max_pixels=max_pixels, workers=Workers(workers), advance=advance)
    findings = [*left_out(index, scan), *wrong_suffixes(index, scan)]
    return index.with_column("reason", scan.reasons), sorted(findings, key=lambda finding: finding.rows)


def require_few_bad(before: Index, after: Index, max_bad: float, where: str = "in check.csv") -> None:
    """Stops where too many images turned out to be unreadable.

    Args:
        before: the index as it was read.
        after: as the check left it.
        max_bad: the share that may be.
        where: they are named.

    Raises:
        DataError: if more than the share `max_bad` of the rows that were usable before `check` are not after it.
    """
    opened, bad = _opened_and_bad(before, after)
    if bad > max_bad * opened:
        raise DataError(
            f"data: expected at most {max_bad:.1%} unreadable images; got {bad} of {opened} ({bad / opened:.1%}). "
            f"They are named {where}: mend or remove them, or raise --max-bad."
        )


def mean_std(colours: ColourSums) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of red, green and blue, of values 0 to 1; empty where no image was seen."""
    if not colours.count:
        return [], []
    mean = np.array(colours.total) / colours.count
    variance = np.array(colours.products[::4]) / colours.count - mean**2
    return (mean / 255).tolist(), (np.sqrt(variance) / 255).tolist()


def _opened_and_bad(before: Index, after: Index) -> tuple[int, int]:
    opened = int(before.usable().sum())
    return opened, opened - int(after.usable().sum())


def _bad_share(before: Index, after: Index, max_bad: float) -> list[Finding]:
    opened, bad = _opened_and_bad(before, after)
    if bad <= max_bad * opened:
        return []
    return [Finding("too-many-bad", f"{bad:,} of {opened:,} ({bad / opened:.1%}), more than {max_bad:.1%}")]
