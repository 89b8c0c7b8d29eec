"""Annotations of labelme, VIA, CreateML, Supervisely, Label Studio and CVAT: boxes, outlines, classes of images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from striate.augment.resample import IGNORED
from striate.data.formats import Record, records_of
from striate.data.formats.record import code_of
from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder, stem
from striate.data.layouts.layout import Finder, Layout, UnrelatedError
from striate.data.layouts.names import natural_key, parts_of, split_of_path, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tables import folder_of
from striate.data.outlines import mask_path
from striate.data.paths import SafePaths
from striate.data.readers.annotations import AnnotatedImage, index_of, require_sizes, sizes_of, with_siblings
from striate.data.readers.class_names import NAME_SUFFIXES, named
from striate.errors import DataError

LISTED = ("keras-yolo", "wider")  # files of many images, whose names say the split, and whose classes may be numbers


@dataclass(frozen=True)
class _Placed:
    """A record, the image that it means, and where it stands."""

    record: Record
    path: str
    file: str
    number: int


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads boxes and outlines where any image has some, else the classes of whole images.

    Raises:
        DataError: if a file is not what it seems, or names no image that is there.
    """
    finder = layout.finder or ImageFinder(layout.tree)
    placed: list[_Placed] = []
    missing = left_out = 0
    for file in layout.files:
        near = folder_of(file)
        of_file = parts_of(stem(file.rpartition("/")[2])).split if len(layout.files) > 1 else None
        for number, record in enumerate(records_of(layout.tree.read_name(file), layout.name)):
            record.split = record.split or (of_file if layout.name in LISTED else None)
            path = finder.find(record.image, near, of_file) or _beside(file, layout, finder)
            left_out += record.left_out
            if path is None:
                missing += 1
            else:
                placed.append(_Placed(record, path, file, number))
    if not placed:
        raise UnrelatedError(
            f"data: expected annotations of the images in {layout.tree.root}; got none that names one."
        )
    _require_any(layout, placed, left_out)
    said = {e.path: ((e.record.width, e.record.height), [shape.box for shape in e.record.shapes]) for e in placed}
    require_sizes(layout.tree.root, said, placed[0].file)
    notes = [f"left out, annotations of an image that is not there: {missing:,}."] if missing else []
    notes += [f"left out, shapes that are neither boxes nor outlines with a class: {left_out:,}."] if left_out else []
    if any(each.record.shapes for each in placed):
        return _objects(layout, placed, notes)
    return _labels(layout, placed, notes)


def _require_any(layout: Layout, placed: Sequence[_Placed], left_out: int) -> None:
    """Refuses annotations of which nothing can be read.

    Raises:
        DataError: if all shapes are left out, and no image has a class.
    """
    if left_out and not any(each.record.shapes or each.record.labels for each in placed):
        raise DataError(
            f"data: expected boxes, outlines or classes of images; got {layout.what}, whose shapes ({left_out:,}) are "
            "points, lines, brushes or bitmaps alone: export them as polygons, as COCO JSON or as masks in PNG."
        )


def _beside(file: str, layout: Layout, finder: Finder) -> str | None:
    """The image that a file for one image is named after, as labelme's are."""
    if layout.name not in ("labelme", "supervisely"):
        return None
    name = file.rpartition("/")[2].removesuffix(".json")
    return finder.find(name, folder_of(file))


def _objects(layout: Layout, placed: Sequence[_Placed], notes: list[str]) -> Index:
    given = sorted({shape.label for each in placed for shape in each.record.shapes}, key=natural_key)
    names, named_by = given, list[str]()
    if layout.name in LISTED:
        names, named_by = named(layout.tree.root, layout.tree.others(*NAME_SUFFIXES), given, first=0)
    name_of = dict(zip(given, names, strict=True))
    classes, notes = sorted(set(names), key=natural_key), [*notes, *named_by]
    outlined = any(each.record.has_outlines for each in placed) and len(classes) < IGNORED
    sizes = _sizes(layout, placed) if outlined else {}
    annotations: dict[str, AnnotatedImage] = {}
    for each in placed:
        found = annotations.setdefault(each.path, AnnotatedImage())
        found.split = each.record.split or split_of_path(each.path.rpartition("/")[0])
        for shape in each.record.shapes:
            found.add(name_of[shape.label], shape.box)
        if each.path in sizes and not each.file.startswith("/") and not each.record.has_unread_area:
            found.mask = mask_path(each.file, each.number, *sizes[each.path])
    unread = sum(each.record.has_unread_area for each in placed)
    if outlined and unread:
        notes.append(f"images without a mask, because brushes or bitmaps on them are not read: {unread:,}.")
    tags = sum(bool(each.record.labels) for each in placed)
    if tags:
        notes.append(f"classes of whole images are not read, because there are boxes: {tags:,}.")
    return index_of(
        layout.tree.root,
        with_siblings(layout.tree, annotations),
        notes=notes,
        mask_classes=["background", *classes] if outlined else (),
        mask_values={0: 0, **{code_of(name): place for place, name in enumerate(classes, 1)}} if outlined else {},
    )


def _sizes(layout: Layout, placed: Iterable[_Placed]) -> dict[str, tuple[int, int]]:
    """Width and height of each image: as the file says or, where it does not, as the image's own file does."""
    said = {each.path: (each.record.width, each.record.height) for each in placed}
    unknown = [path for path, size in said.items() if min(size) < 1]
    return {path: size for path, size in said.items() if min(size) > 0} | sizes_of(layout.tree.root, unknown)


def _labels(layout: Layout, placed: Sequence[_Placed], notes: list[str]) -> Index:
    classes = sorted({label for each in placed for label in each.record.labels}, key=natural_key)
    number = {name: place for place, name in enumerate(classes)}
    paths = [each.path for each in placed]
    several = [[number[label] for label in dict.fromkeys(each.record.labels)] for each in placed]
    single = all(len(each) <= 1 for each in several)
    splits = [each.record.split or split_of_path(each.path.rpartition("/")[0]) for each in placed]
    safe = SafePaths(layout.tree.root)
    return build(
        layout.tree.root,
        classes,
        paths,
        label=[each[0] if each else -1 for each in several] if single else None,
        labels=None if single else several,
        split=splits if telling_splits(splits) else None,
        reason=[safe(path) for path in paths],
        notes=notes,
    )
