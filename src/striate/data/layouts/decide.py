"""All readings of a folder or a file, and the one that is meant."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from striate.data.layouts import class_folders, file_names, lists, masks, objects, packed, runs, tables
from striate.data.layouts.annotation_files import json_kind, xml_kind
from striate.data.layouts.finder import DirectFinder, ImageFinder
from striate.data.layouts.layout import Finder, Layout
from striate.data.layouts.names import parts_of
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.sheet import open_sheet
from striate.data.layouts.tables import Table, table_of
from striate.data.layouts.tree import Folder, Tree, survey
from striate.data.layouts.unread import unread, unread_name
from striate.data.paths import to_text
from striate.data.run_lengths import run_columns
from striate.errors import DataError
from striate.files import fit_to_print, list_names, regular

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")
JSON = "JSON of COCO, labelme, Label Studio, VIA or CreateML, or records of file and label"
LISTS = (".txt", ".lst", ".list", ".odgt", ".manifest")
ASIDE = frozenset({"csv", "meta", "metadata", "data", "lists", "splits", "imagesets", "main", "info", "tables", "docs"})


def readings(tree: Tree, options: ReadOptions) -> list[Layout]:
    """Every reading that a folder allows, the plausible ones and those in doubt."""
    if options.label_pattern:
        return file_names.find(tree, options.label_pattern)
    if options.layout == "images":
        return [Layout("images", "images without labels", tree)] if tree.top.count else []
    finder = ImageFinder(tree)
    found = [
        *objects.find(tree),
        *tables.find(tree, finder, options),
        *runs.find(tree, finder),
        *class_folders.find(tree, finder),
        *lists.find(tree, finder),
        *masks.find(tree),
        *packed.find(tree),
    ]
    if any(each.name not in (class_folders.TOP, class_folders.DEEPER) and not each.doubt for each in found):
        found = [each for each in found if each.name != class_folders.TOP or len({c.name for c in each.classes}) > 1]
    return [replace(each, finder=finder) for each in _in_doubt(found, tree, finder, options)]


def _in_doubt(found: Sequence[Layout], tree: Tree, finder: ImageFinder, options: ReadOptions) -> list[Layout]:
    """The readings, of which class folders are in doubt where a table gives their images other classes.

    Its names are of images in several of the folders, so that it is not read.
    """
    of_folders = (class_folders.TOP, class_folders.DEEPER)
    if not any(each.name in of_folders and not each.doubt for each in found):
        return list(found)
    for file, labels in tables.with_several_meanings(tree, finder, options):
        doubt = f"{file} says something else of images whose names several folders have: write the folder before each"
        found = [
            replace(each, doubt=doubt)
            if each.name in of_folders and not each.doubt and not labels <= {c.name for c in each.classes}
            else each
            for each in found
        ]
    return list(found)


def wanted(found: Sequence[Layout], name: str, root: Path) -> list[Layout]:
    """The readings of the layout that `--layout` names.

    Raises:
        DataError: if there is none.
    """
    chosen = [replace(each, doubt="") for each in found if each.name == name]
    if not chosen:
        others = list_names(f"{each.name} ({each.what})" for each in found) or "nothing that is known"
        raise DataError(f"`--layout {name}`: expected data of that layout in {root}; got {others}.")
    return chosen


def refuse_unknown(tree: Tree, found: Sequence[Layout]) -> DataError:
    """What to raise where no reading is plausible."""
    sentences = [f"it may be {each.what}, but {each.doubt}: --layout {each.name} reads it so." for each in found]
    hints = [
        *sentences[:2],
        tables.why_unread(tree),
        unread(tree),
        file_names.suggestion(tree) if tree.top.count else "",
    ]
    if not any(hints):
        hints = [
            "Put the images of each class into a folder of its own, or give a CSV of path and label; see docs/data.md."
        ]
    holds = f"{tree.top.count:,} image{'' if tree.top.count == 1 else 's'}" if tree.top.count else "no image"
    told = " ".join(hint[:1].upper() + hint[1:] for hint in hints if hint)
    return DataError(
        f"data: expected images with labels in {fit_to_print(str(tree.root), 120)}; got {holds} and no labels. {told}"
    )


def refuse_ambiguous(found: Sequence[Layout]) -> DataError:
    """What to raise where several readings are plausible and say different things."""
    root = fit_to_print(str(found[0].tree.root), 100)
    shown = [f"{fit_to_print(each.what, 120)} (--layout {each.name})" for each in found[:3]]
    same = len({each.name for each in found}) < len(found)
    how = "Give the file that is meant" if same else "Say which with --layout"
    more = f" or {len(found) - 3} more" if len(found) > 3 else ""
    return DataError(
        f"data: expected one meaning of {root}; got {len(found)} that differ: {' or '.join(shown)}{more}. {how}."
    )


def layout_of_file(path: Path, options: ReadOptions) -> Layout:
    """The reading of one file.

    Raises:
        DataError: if it is of no layout that is known, or its images are not found.
    """
    try:
        regular(path)
    except OSError as error:
        raise DataError(f"data: {path}: {error.strerror or error}.") from error
    lower = path.name.lower()
    if lower.endswith(TABLES):
        return _table(path, options)
    if lower.endswith(LISTS):
        return _list(path, options)
    if lower.endswith(".json"):
        return _json(path, options)
    if lower.endswith(".xml"):
        return _xml(path, options)
    if lower.endswith((".yaml", ".yml")):
        return _yaml(path)
    for name, suffixes in (("parquet", (".parquet",)), ("arrays", (".npz", ".npy")), ("idx", ("ubyte", "ubyte.gz"))):
        if lower.endswith(suffixes):
            own = (to_text(path.name),)
            files = own if name != "arrays" or lower.endswith(".npz") else tuple(_siblings(path, ".npy"))
            return Layout(name, f"{path.name}", Tree(path.parent, Folder("")), files)
    hint = unread_name(path.name)
    known = "a folder, a table (CSV), JSON, XML, Parquet or idx file, an .npz, or a zip or tar archive"
    raise DataError(f"data: expected {known}; got {path}.{' ' + hint[:1].upper() + hint[1:] if hint else ''}")


def _siblings(path: Path, suffix: str) -> list[str]:
    return sorted(to_text(each.name) for each in path.parent.iterdir() if each.suffix.lower() == suffix)


def _table(path: Path, options: ReadOptions) -> Layout:
    sheet = open_sheet(path)
    columns = run_columns(sheet) if options.layout in ("auto", "runs") else None
    if columns is not None:
        for tree, finder, file in _places(path, options):
            if runs.share_found(sheet, columns, finder, tables.folder_of(file)) >= 0.5:
                return replace(runs.layout_of(tree, file, columns), finder=finder, is_given=True)
    best: tuple[Tree, Finder, Table] | None = None
    for tree, finder, file in _places(path, options):
        table = table_of(file, sheet, finder, options)
        share = _share_found(
            [row[table.path_place] for row in table.sheet.head if table.path_place >= 0], finder, table.folder
        )
        if best is None:
            best = tree, finder, table
        if share == 1 or (share >= 0.5 and not isinstance(finder, DirectFinder)):
            best = tree, finder, table
            break
    if best is None:
        raise DataError(f"data: expected a table; got {path}.")
    tree, finder, table = best
    if path.suffix.lower() == ".json" and not table.columns.found:
        raise DataError(f"data: expected {JSON}; got {path}, which names no image that is here.")
    if options.layout == "auto" and (doubt := tables.measured(table)):
        raise DataError(f"data: expected labels in {path}; but {doubt}: --layout table reads it so.")
    kind = "boxes" if table.columns.has_boxes else "table"
    kind = options.layout if options.layout in ("boxes", "table") else kind
    return Layout(kind, tables.told(table), tree, (table.file,), finder=finder, is_given=True)


def _share_found(texts: Sequence[str], finder: Finder, near: str) -> float:
    given = [text for text in texts if text]
    return sum(finder.find(text, near) is not None for text in given) / len(given) if given else 0.0


def _places(path: Path, options: ReadOptions) -> Iterator[tuple[Tree, Finder, str]]:
    """Where the images of a table or list may lie, the nearest first; none is listed before it is asked for."""
    root = options.image_root or path.parent
    yield Tree(root, Folder("")), DirectFinder(root), _from(root, path)
    tree = survey(root)
    yield tree, ImageFinder(tree), _from(root, path)
    if options.image_root is None and _is_aside(path.absolute().parent):
        with suppress(DataError):  # what is above may be anything
            tree = survey(path.absolute().parent.parent)
            yield tree, ImageFinder(tree), _from(tree.root, path)


def _from(root: Path, path: Path) -> str:
    """A file's path from a root; its whole path where it lies elsewhere."""
    absolute = path.absolute()
    inside = absolute.is_relative_to(root.absolute())
    return to_text(absolute.relative_to(root.absolute()).as_posix() if inside else str(absolute))


def _is_aside(folder: Path) -> bool:
    """Whether a folder's name says that it holds labels or lists, whose images may lie beside it."""
    parts = parts_of(folder.name)
    return folder.name.lower() in ASIDE or (parts.role == "labels" and not parts.rest)


def _list(path: Path, options: ReadOptions) -> Layout:
    if (of_many := objects.kind_of_many(path)) is not None:
        return _annotations(of_many, path, options)
    for tree, finder, file in _places(path, options):
        if isinstance(finder, ImageFinder):
            found = lists.read_list(tree, file, finder)
            if found is not None:
                if not found.has_labels:
                    break
                return Layout("lists", f"a list of images and labels, {path.name}", tree, (file,), finder=finder)
    sheet = open_sheet(path)
    if len(sheet.names) > 1:
        return _table(path, options)
    raise DataError(f"data: expected a list of images with their labels, one a line; got {path}, which is none.")


def _json(path: Path, options: ReadOptions) -> Layout:
    kind = json_kind(path)
    if kind is None:
        raise DataError(f"data: expected {JSON}; got {path}.")
    if kind == "table":
        return _table(path, options)
    return _annotations(kind, path, options)


def _xml(path: Path, options: ReadOptions) -> Layout:
    kind = xml_kind(path)
    if kind is None:
        raise DataError(f"data: expected XML of Pascal VOC or CVAT; got {path}.")
    return _annotations(kind, path, options)


def _annotations(kind: str, path: Path, options: ReadOptions) -> Layout:
    """The images that one file of annotations names, wherever they lie beside it."""
    tree = _tree_of(path, options)
    return Layout(
        kind,
        f"{objects.told(kind)} in {path.name}",
        tree,
        (_from(tree.root, path),),
        finder=ImageFinder(tree),
        is_given=True,
    )


def _yaml(path: Path) -> Layout:
    """The YOLO data set that a data.yaml describes, which lies beside it."""
    tree = survey(path.parent)
    found = [each for each in objects.find(tree) if each.name == "yolo"]
    if not found:
        raise DataError(f"data: expected labels of YOLO in the folder of {path}; got none.")
    return replace(found[0], finder=ImageFinder(tree))


def _tree_of(path: Path, options: ReadOptions) -> Tree:
    """The tree that holds the images of a file of annotations: its folder or, where that has none, the one above."""
    tree = survey(options.image_root or path.parent)
    if not tree.top.count and options.image_root is None and _is_aside(path.absolute().parent):
        with suppress(DataError):  # what is above may be anything
            above = survey(path.absolute().parent.parent)
            return above if above.top.count else tree
    return tree
