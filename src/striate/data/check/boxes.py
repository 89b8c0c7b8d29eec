"""Boxes that cannot be right: without width or height, outside their image, or of an image before it was turned."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from striate.data.check.findings import Finding, about
from striate.data.check.scan_index import Scan
from striate.data.decode import QUARTER_TURNS
from striate.data.index import Index, Rows

SLACK = 1.0  # pixels over the edge that are not worth a word: many tools count from 1
Boxes = NDArray[np.float64]  # (M, 4), xyxy


def box_findings(index: Index, scan: Scan) -> Iterator[Finding]:
    """What is wrong with the boxes of the images that can be read, a finding an image and kind."""
    rows, boxes = boxes_of(index)
    known = np.isin(rows, scan.rows)
    rows, boxes = rows[known], boxes[known]
    size = np.stack([scan.records["width"][rows], scan.records["height"][rows]], axis=1)
    first, last = boxes[:, :2], boxes[:, 2:]
    empty = ~(last > first).all(axis=1)  # also where one of them is NaN
    outside = ~empty & ((last <= 0) | (first >= size)).any(axis=1)
    over = ~empty & ~outside & _is_over(boxes, size)
    lying = np.isin(scan.records["orientation"][rows], QUARTER_TURNS) & ~_is_over(boxes, size[:, ::-1])
    turned = (outside | over) & lying
    kinds = {"box-empty": empty, "box-turned": turned, "box-outside": outside & ~turned, "box-clipped": over & ~turned}
    for kind, wrong in kinds.items():
        for row in np.unique(rows[wrong]).tolist():
            which = boxes[wrong & (rows == row)]
            more = f", and {len(which) - 1} more" if len(which) > 1 else ""
            corners = ", ".join(f"{value:g}" for value in which[0])
            of = f"{scan.records['width'][row]} x {scan.records['height'][row]} pixels"
            yield about(kind, f"({corners}) on {of}{more}", index, [row])


def _is_over(boxes: Boxes, size: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(M,) whether boxes reach over the edge of images of sizes (M, 2)."""
    return np.asarray(((boxes[:, :2] < -SLACK) | (boxes[:, 2:] > size + SLACK)).any(axis=1))


def boxes_of(index: Index) -> tuple[Rows, Boxes]:
    """Every box and the row that it belongs to: of the column `boxes` where a row has it, else of `box`."""
    table = index.table
    several, single = table["boxes"].combine_chunks(), table["box"].combine_chunks()
    counts = np.asarray(several.value_lengths().fill_null(0))
    alone = np.asarray(single.is_valid()) & (counts == 0)
    rows = np.concatenate([np.repeat(np.arange(len(index)), counts), np.flatnonzero(alone)])
    boxes = np.concatenate([_corners(several.flatten()), _corners(single.filter(alone))])
    order = np.argsort(rows, kind="stable")
    return rows[order], boxes[order]


def _corners(boxes: pa.Array) -> Boxes:
    return np.asarray(boxes.flatten(), np.float64).reshape(-1, 4)
