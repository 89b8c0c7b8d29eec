"""Masks in a table by the lengths of runs of pixels."""

from collections.abc import Collection

from striate.augment.resample import IGNORED
from striate.data.formats.record import code_of
from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Layout, UnrelatedError
from striate.data.layouts.names import natural_key
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tables import folder_of
from striate.data.layouts.tree import Tree
from striate.data.outlines import mask_path
from striate.data.paths import SafePaths
from striate.data.readers.annotations import sizes_of
from striate.data.run_lengths import goes_along_rows, run_images
from striate.errors import DataError

SAMPLE = 50  # images that tell in which order pixels are numbered


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads a table of runs; an image whose rows have none shows the background alone.

    So does an image beside the others that the table does not name, where no row of it is without runs: Severstal's
    table has the images with faults alone. Where rows are, an image that has none is one that nobody has looked at.

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
    beside = _beside(layout.tree, found)
    if beside and all(each.objects for each in images):  # a table of objects leaves out the images that show none
        notes.append(f"images beside these that {file} does not name, read as background alone: {len(beside):,}.")
        sizes |= sizes_of(layout.tree.root, beside)
        found |= dict.fromkeys(beside, len(images))
    elif beside:
        notes.append(f"left out, images beside these that {file} does not name: {len(beside):,}.")
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


def _beside(tree: Tree, found: Collection[str]) -> list[str]:
    """The images right beside some."""
    folders = {path.rpartition("/")[0] for path in found}
    paths = (f.path_of(name) for f in tree.top.walk() if f.path in folders for name in f.images)
    return [path for path in paths if path not in found]
