"""The check: names everything that is wrong with a data set before an epoch is spent."""

from striate.data.check.boxes import boxes_of
from striate.data.check.clean import cleaned
from striate.data.check.findings import (
    KINDS,
    Finding,
    Kind,
    Severity,
    by_kind,
    left_out_lines,
    lines_of,
    write_findings,
)
from striate.data.check.run import Check, check, examine, require_few_bad

__all__ = [
    "KINDS",
    "Check",
    "Finding",
    "Kind",
    "Severity",
    "boxes_of",
    "by_kind",
    "check",
    "cleaned",
    "examine",
    "left_out_lines",
    "lines_of",
    "require_few_bad",
    "write_findings",
]
