"""Boxes as cached views show them: the transform of each image is drawn again, and its pixels are not read."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from striate.augment.resample import map_boxes
from striate.caches import cache_folder
from striate.data import IndexedImages, Rows, View
from striate.data.identity import digests
from striate.errors import UsageError
from striate.features.extraction import ByContent
from striate.training.run import Run


def has_masks(run: Run) -> bool:
    """Whether the run's task asks for masks, which follow each image's transform and are not cached with features."""
    return "masks" in run.task.annotations(run.index)


def boxes_shown(run: Run, rows: Rows, view: View) -> NDArray[np.float32] | None:
    """(N, 4) the box of each row as a view shows it, in pixels of the view, NaN for none; None where none is asked for.

    Args:
        run: whose task says what goes along with images.
        rows: (N,) of its index; each has been read before.
        view: as `extract` takes it, which draws by the contents of files.

    Raises:
        UsageError: the task asks for masks too, which are not cached.
    """
    if has_masks(run):
        raise UsageError(
            f"`views`: expected 0 with the task {run.task.name}, whose masks follow each image's transform. "
            "Try --views 0."
        )
    annotations = run.task.annotations(run.index)
    if "boxes" not in annotations:
        return None
    images, boxes = IndexedImages(run.index, run.recipe.data.max_pixels), annotations["boxes"]
    known = digests(run.index, rows, cache_folder("digests"), workers=run.workers)
    by_content = ByContent(view, {row: digest for row, digest in zip(rows.tolist(), known, strict=True) if digest})

    def shown(row: int) -> NDArray[np.float32]:
        map_, _ = by_content(row, images.open(row).size)
        placed: NDArray[np.float32] = map_boxes(boxes[row : row + 1], map_, run.preprocessing.size)[0]
        return placed

    with ThreadPoolExecutor(run.workers) as pool:
        return np.stack(list(pool.map(shown, rows.tolist())))
