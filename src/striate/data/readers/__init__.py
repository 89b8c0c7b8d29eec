"""Readers: each turns one layout of images on disk into the one Index."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from striate.data.index import Index
from striate.data.index_file import is_index, load_index
from striate.data.layouts.decide import layout_of_file, readings, refuse_ambiguous, refuse_unknown, wanted
from striate.data.layouts.layout import Layout, UnrelatedError
from striate.data.layouts.options import LABEL_COLUMN, PATH_COLUMN, WEIGHT_COLUMN, ReadOptions
from striate.data.layouts.tree import survey
from striate.data.readers import (
    annotated,
    archive,
    arrays,
    boxes,
    coco,
    file_names,
    folders,
    idx,
    lists,
    masks,
    parquet,
    runs,
    table,
    voc,
    yolo,
)
from striate.data.readers.agreement import completed, for_task, fullest, without_repeats
from striate.errors import DataError
from striate.files import list_names
from striate.recipe import ReadRecipe

COMPARED = 20  # readings of which it is found out whether they say the same
READ_AS = "read as: "  # how the note begins that says what data was taken for
READERS: Mapping[str, Callable[[Layout, ReadOptions], Index]] = {
    "folders": folders.read,
    "subfolders": folders.read,
    "names": file_names.read,
    "images": file_names.read_unlabelled,
    "table": table.read,
    "lists": lists.read,
    "boxes": boxes.read,
    "masks": masks.read,
    "runs": runs.read,
    "coco": coco.read,
    "voc": voc.read,
    "yolo": yolo.read,
    "kitti": yolo.read_kitti,
    "labelme": annotated.read,
    "label-studio": annotated.read,
    "cvat": annotated.read,
    "via": annotated.read,
    "createml": annotated.read,
    "supervisely": annotated.read,
    **dict.fromkeys(
        ("bdd", "visdrone", "dota", "icdar", "keras-yolo", "wider", "odgt", "mot", "manifest"), annotated.read
    ),
    "parquet": parquet.read,
    "idx": idx.read,
    "arrays": arrays.read,
}


def read(
    path: Path,
    *,
    layout: str = "auto",
    path_column: str = PATH_COLUMN,
    label_column: str = LABEL_COLUMN,
    label_separator: str = "",
    label_pattern: str = "",
    weight_column: str = WEIGHT_COLUMN,
    image_root: Path | None = None,
    mask_classes: Mapping[str, str] | None = None,
    task: str = "auto",
) -> Index:
    """Finds out what `path` holds, from all of it and once, and reads it; the first note says what it was read as.

    Args:
        path: a folder, or a file of any layout in `docs/data.md`.
        layout: the layout that is meant, where more than one is plausible or the plain one is wrong.
        path_column: name of a table's column of image paths; common synonyms are known.
        label_column: name of a table's or Parquet file's column of labels; common synonyms are known.
        label_separator: what parts several labels of one image in a table; none unless given.
        label_pattern: regular expression whose group is the label in the name of a file.
        weight_column: name of a table's column of how often an image is drawn, if it has one.
        image_root: folder that a file's paths start from; found beside the file unless given.
        mask_classes: the class of each value of a mask: of a number, or of #rrggbb.
        task: what is to be learned, which tells between readings where one has masks, another boxes or classes alone.

    Raises:
        DataError: if nothing is there, nothing that a reader knows, or what could be read in two ways.
        UsageError: if an option cannot be meant.
    """
    options = ReadOptions(
        layout,
        path_column,
        label_column,
        label_separator,
        label_pattern,
        weight_column,
        image_root,
        mask_classes or {},
        task,
    )
    with suppress(RuntimeError):  # of a user who is not known: then it is a name like others
        path = path.expanduser()
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise DataError(f"data: expected a folder or file; got {str(path)!r:.200}: {error}.") from error
    if not exists:
        raise DataError(f"data: expected a folder, CSV, JSON or Parquet file; got {path}, which does not exist.")
    if is_folder:
        return _read_folder(path, options)
    if is_index(path):
        index = load_index(path, image_root)
        notes = [note for note in index.notes if not note.startswith(READ_AS)]
        return _described(replace(index, notes=tuple(notes)), "an index that striate wrote", ())
    if archive.is_archive(path):
        index = _read_folder(archive.unpacked(path), options)
        return replace(index, notes=(*index.notes, f"{path.name} is unpacked once, in {index.root}."))
    found = layout_of_file(path, options)
    return _described(READERS[found.name](found, options), found.what, (*found.tree.notes, *found.notes))


def read_with(path: Path, recipe: ReadRecipe, task: str = "auto") -> Index:
    """Reads `path` as a recipe or the flags of a verb say; see `read`."""
    options = {each.name: getattr(recipe, each.name) for each in fields(ReadRecipe)}
    root = Path(recipe.image_root) if recipe.image_root else None
    return read(path, **options | {"image_root": root, "task": task})


def _read_folder(path: Path, options: ReadOptions) -> Index:
    tree = survey(path)
    packed = archive.archives_of(tree)
    if packed:
        index = _read_folder(archive.unpacked(*packed), options)
        names = list_names((each.name for each in packed), 4)
        are = "is" if len(packed) == 1 else "are"
        return replace(index, notes=(*index.notes, f"{names} {are} unpacked once, in {index.root}."))
    found = readings(tree, options)
    if options.layout != "auto":
        found = wanted(found, options.layout, path)
    plausible = [each for each in found if not each.doubt]
    if not plausible:
        raise refuse_unknown(tree, found)
    chosen, index, notes = _only(plausible, options)
    return _described(index, chosen.what, (*tree.notes, *chosen.notes, *notes))


def _only(plausible: Sequence[Layout], options: ReadOptions) -> tuple[Layout, Index, list[str]]:
    """The reading that is left once those that say nothing more than another are dropped, and a word on those.

    Raises:
        DataError: if several are left.
    """
    if len(plausible) == 1:
        return plausible[0], READERS[plausible[0].name](plausible[0], options), []
    if len(plausible) > COMPARED:
        raise refuse_ambiguous(plausible)
    read_as: list[tuple[Layout, Index]] = []
    errors: list[DataError] = []
    for each in plausible:
        try:
            read_as.append((each, READERS[each.name](each, options)))
        except UnrelatedError as error:
            errors.append(error)
    if not read_as:
        raise errors[0]
    left, repeats = without_repeats(completed(for_task(read_as, options.task)))
    left, partial = fullest(left)
    if len(left) > 1:
        raise refuse_ambiguous([each for each, _ in left])
    notes = [f"not read, because {error}" for error in errors] + partial
    notes += [f"what says the same is not read: {list_names((each.what for each in repeats), 3)}."] if repeats else []
    return *left[0], notes


def _described(index: Index, what: str, notes: Sequence[str]) -> Index:
    """The index with a first note that says what it was read as, with counts."""
    images = int(index.usable().sum())  # what is no image by its name is not counted
    counts = [f"{images:,} image{'' if images == 1 else 's'}"]
    if index.classes or not index.mask_classes:
        counts.insert(0, f"{len(index.classes):,} class{'' if len(index.classes) == 1 else 'es'}")
    if index.table["boxes"].null_count < len(index):
        boxes = index.table["boxes"].combine_chunks()
        counts.append(f"{len(boxes.flatten()):,} boxes")
    if index.mask_classes:
        counts.append(f"{len(index) - index.table['mask'].null_count:,} masks of {len(index.mask_classes)} classes")
    return replace(index, notes=(f"{READ_AS}{what}; {', '.join(counts)}", *notes, *index.notes))
