"""Masks in a table by the lengths of runs of pixels."""

from striate.augment.resample import IGNORED
from striate.data.formats.record import code_of
from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Layout, UnrelatedError
from striate.data.layouts.names import natural_key
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tables import folder_of
from striate.data.outlines import mask_path
from striate.data.paths import SafePaths
from striate.data.readers.annotations import sizes_of
from striate.data.run_lengths import goes_along_rows, run_images
from striate.errors import DataError

SAMPLE = 50  # images that tell in which order pixels are numbered


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads a table of runs; an image whose rows have none shows the background alone.

    Raises:
        DataError: if the table names no image that is there, or too many classes.
    """
    finder = layout.finder or ImageFinder(layout.tree)
    [file] = layout.files
    images = run_images(layout.tree.read_name(file))
    found = {path: n for n, each in enumerate(images) if (path := finder.find(each.text, folder_of(file))) is not None}
    if not found:
        raise UnrelatedError(f"{layout.tree.read_name(file)}: expected runs of images that are here; got none.")
    classes = sorted({name for number in found.values() for name, _ in images[number].objects}, key=natural_key)
    if len(classes) >= IGNORED:
        raise DataError(f"data: expected at most {IGNORED - 1} classes of masks; got {len(classes)} in {file}.")
    sizes = sizes_of(layout.tree.root, list(found))
    sample = [path for path in found if path in sizes and images[found[path]].objects][:SAMPLE]
    along_rows = goes_along_rows([(images[found[path]], *sizes[path]) for path in sample])
    order = "along the rows" if along_rows else "down the columns"
    why = "as is usual: nothing tells" if along_rows is None else "as the distances between runs tell"
    notes = [f"pixels are numbered from 1, {order}, {why}."]
    missing = len(images) - len(found)
    notes += [f"left out, runs of an image that is not there: {missing:,}."] if missing else []
    folders = {path.rpartition("/")[0] for path in found}
    beside = sum(len(folder.images) for folder in layout.tree.top.walk() if folder.path in folders) - len(found)
    notes += [f"left out, images beside these that {file} does not name: {beside:,}."] if beside > 0 else []
    safe = SafePaths(layout.tree.root)
    return build(
        layout.tree.root,
        (),
        list(found),
        mask=[
            mask_path(file, 2 * number + bool(along_rows), *sizes[path]) if path in sizes else None
            for path, number in found.items()
        ],
        reason=[safe(path) for path in found],
        mask_classes=["background", *classes],
        mask_values={0: 0} | {code_of(name): place for place, name in enumerate(classes, 1)},
        notes=notes,
    )
