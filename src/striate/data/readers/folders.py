"""Class folders: SPLIT/CLASS/image, or CLASS/image."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from striate.data.index import Index, build
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import natural_key
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tree import has_no_suffix, suffix_of, survey
from striate.data.paths import file_of
from striate.files import list_names


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads class folders.

    Every file below a class folder is a row; one that is no image stays in the table with that reason.

    Raises:
        DataError: if a class's name is too long.
    """
    names = sorted({each.name for each in layout.classes}, key=natural_key)
    files = [list(each.folder.marked_files()) for each in layout.classes]
    paths = pa.array([path for of_class in files for path, _ in of_class], pa.string())
    is_image = np.array([image for of_class in files for _, image in of_class], np.bool_)
    place = {name: number for number, name in enumerate(names)}
    number = np.array([place[each.name] for each in layout.classes])
    folder = np.repeat(np.arange(len(files)), [len(each) for each in files])  # (N,) the number of each row's
    split = pa.array([each.split for each in layout.classes], pa.string()).take(pa.array(folder))
    if layout.splits:
        listed = pa.array([layout.splits.get(path) for of_class in files for path, _ in of_class], pa.string())
        split = pc.coalesce(listed, split)
    return build(
        layout.tree.root,
        names,
        paths,
        label=number[folder],
        split=split,
        reason=_reasons(paths, is_image),
        notes=_bare_note(paths, is_image),
    )


def image_files(root: Path) -> list[Path]:
    """All files below `root` that are images by their name, or have no suffix and are images by their content.

    They come in the same order everywhere; what is hidden or litter is passed over.

    Raises:
        DataError: if a folder cannot be listed.
    """
    return [file_of(root, path) for path, is_image in survey(root).top.marked_files() if is_image]


def _reasons(paths: pa.Array, is_image: NDArray[np.bool_]) -> pa.Array:
    """Why rows are left out that are no images by their names."""
    others = pa.array(~is_image)
    suffixes = (suffix_of(path.rpartition("/")[2]) for path in paths.filter(others).to_pylist())
    reasons = [f"not an image by its name ({suffix or 'no suffix'})" for suffix in suffixes]
    return pc.replace_with_mask(pa.nulls(len(paths), pa.string()), others, pa.array(reasons, pa.string()))


def _bare_note(paths: pa.Array, is_image: NDArray[np.bool_]) -> list[str]:
    """A line on files without a suffix that are no images by their content either."""
    others = [path for path in paths.filter(pa.array(~is_image)).to_pylist() if has_no_suffix(path.rpartition("/")[2])]
    if not others:
        return []
    return [
        f"files without a suffix that are no images by their content either: {list_names(others, 4)}. They are not "
        "read: delete them, or give them the suffix that they should have."
    ]
