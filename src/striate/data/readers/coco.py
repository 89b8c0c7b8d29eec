"""COCO JSON: images, and of each its objects with box, outline and category."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from striate.augment.resample import IGNORED
from striate.data.coco import BACKGROUND, CROWD, Annotation, Coco, has_outline, load
from striate.data.formats.record import code_of
from striate.data.index import Index, build
from striate.data.layouts.finder import ImageFinder
from striate.data.layouts.layout import Finder, Layout, UnrelatedError
from striate.data.layouts.names import split_of_path, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tables import folder_of
from striate.data.paths import SafePaths
from striate.data.readers.annotations import require_sizes
from striate.errors import DataError
from striate.files import list_names

UNLISTED = "objects of an image that the file does not list"
UNDECLARED = "objects of a category that the file does not declare"
CROWDS = "crowds, which a mask ignores"
NO_BOX = "objects without a box of four numbers"


@dataclass(frozen=True)
class _Part:
    """One file, and the path of each of its images by number."""

    file: str
    coco: Coco
    names: Mapping[int, str]
    paths: Mapping[int, str]
    split: str | None

    @cached_property
    def has_outlines(self) -> bool:
        """Whether a mask can be drawn of any image."""
        return any(map(has_outline, self.coco.annotations))


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads COCO files; categories of several are matched by name.

    Classes are the categories that have objects, in the order of their numbers in the first file that has each. In a
    mask, class k has the number k + 1, because 0 is the background.

    Raises:
        DataError: if a file is not COCO JSON, its images are not found, or an image is in two files.
    """
    finder = layout.finder or ImageFinder(layout.tree)
    parts = [_part(file, layout, finder) for file in layout.files]
    if any(part.coco.annotations for part in parts) and not any(map(_has_objects, parts)):
        return _whole_images(layout, parts)
    left_out: Counter[str] = Counter()
    objects = [_objects(part, left_out) for part in parts]
    for part, of_part in zip(parts, objects, strict=True):
        said = {
            part.paths[each.id]: ((each.width, each.height), [found.bbox for found in of_part[each.id]])
            for each in part.coco.images
        }
        require_sizes(layout.tree.root, said, part.file)
    classes, unused = _classes(parts, objects)
    has_room = len(classes) < IGNORED  # beside the background
    has_masks = has_room and any(part.has_outlines for part in parts)
    notes = [f"left out, {what}: {count:,}." for what, count in left_out.items()]
    if unused:
        notes.append(f"categories without an object are no classes: {list_names(unused)}.")
    if not has_room and any(part.has_outlines for part in parts):
        notes.append(f"outlines are left out: a mask has room for {IGNORED - 1} classes, and there are {len(classes)}.")
    rows = [
        (part, image.id, of_part.get(image.id, []))
        for part, of_part in zip(parts, objects, strict=True)
        for image in part.coco.images
    ]
    paths = [part.paths[number] for part, number, _ in rows]
    _require_once(paths)
    number_of = {name: number for number, name in enumerate(classes)}
    safe = SafePaths(layout.tree.root)
    return build(
        layout.tree.root,
        classes,
        paths,
        labels=[[number_of[part.names[each.category_id]] for each in found] for part, _, found in rows],
        boxes=[[each.bbox for each in found] for _, _, found in rows],
        mask=[_mask(part, number) if has_masks else None for part, number, _ in rows],
        split=_splits(layout, [part.split for part, _, _ in rows], paths),
        reason=[safe(path) for path in paths],
        mask_classes=["background", *classes] if has_masks else (),
        mask_values=_mask_values(classes) if has_masks else None,
        notes=notes,
    )


def _has_objects(part: _Part) -> bool:
    return part.has_outlines or any(each.bbox for each in part.coco.annotations)


def _whole_images(layout: Layout, parts: Sequence[_Part]) -> Index:
    """The classes of whole images, where no annotation has a box or an outline, as iNaturalist's."""
    names = dict.fromkeys(name for part in parts for _, name in sorted(part.names.items()))
    found: dict[str, dict[str, None]] = {}
    splits: list[str | None] = []
    for part in parts:
        by_number = {image.id: found.setdefault(part.paths[image.id], {}) for image in part.coco.images}
        splits += [part.split for _ in by_number]
        for each in part.coco.annotations:
            if each.image_id in by_number and each.category_id in part.names:
                by_number[each.image_id][part.names[each.category_id]] = None
    paths = [part.paths[image.id] for part in parts for image in part.coco.images]
    _require_once(paths)
    number = {name: place for place, name in enumerate(names)}
    labels = [[number[name] for name in each] for each in found.values()]
    single = all(len(each) <= 1 for each in labels)
    safe = SafePaths(layout.tree.root)
    return build(
        layout.tree.root,
        list(names),
        paths,
        label=[each[0] if each else -1 for each in labels] if single else None,
        labels=None if single else labels,
        split=_splits(layout, splits, paths),
        reason=[safe(path) for path in paths],
        notes=["categories of whole images: no annotation has a box or an outline."],
    )


def _splits(layout: Layout, said: Sequence[str | None], paths: Sequence[str]) -> Sequence[str | None]:
    """The split of each image by the name of its file of annotations, else by the folder that the image lies in."""
    if any(said):
        return [None] * len(said) if layout.is_given else said
    of_folder = [split_of_path(path.rpartition("/")[0]) if "/" in path else None for path in paths]
    return of_folder if telling_splits(of_folder) else said


def _part(file: str, layout: Layout, finder: Finder) -> _Part:
    coco = load(layout.tree.read_name(file))
    near = folder_of(file)
    split = _split(file)
    found: dict[int, str] = {}
    prefixes: Counter[str] = Counter()
    places = [*_named_as(layout, file, split), near]
    for image in coco.images:
        path = next((path for place in places if (path := finder.find(image.file_name, place)) is not None), None)
        if path is not None:
            found[image.id] = path
            prefixes[path.removesuffix(image.file_name)] += 1
    if coco.images and not found:
        raise UnrelatedError(
            f"{layout.tree.read_name(file)}: expected its images beside it or in a folder of {layout.tree.root}; got "
            f"no {coco.images[0].file_name:.100}."
        )
    before = prefixes.most_common(1)[0][0] if prefixes else ""
    found = {image.id: found.get(image.id, before + image.file_name) for image in coco.images}  # in their order
    return _Part(file, coco, {each.id: each.name for each in coco.categories}, found, split)


def _named_as(layout: Layout, file: str, split: str | None) -> list[str]:
    """The folders of images that a file's name speaks of: train2017/ of instances_train2017.json."""
    stem = file.rpartition("/")[2].rpartition(".")[0].lower()
    folders = [folder for folder in layout.tree.top.walk() if folder.images]
    named = [folder.path for folder in folders if folder.name and folder.name.lower() in stem]
    return named + [
        f.path for f in folders if split is not None and f.path not in named and split_of_path(f.path) == split
    ]


def _split(file: str) -> str | None:
    """The split that a file's name speaks of, else its folder's."""
    folder, _, name = file.rpartition("/")
    return split_of_path(name.rpartition(".")[0]) or (split_of_path(folder) if folder_of(file) else None)


def _objects(part: _Part, left_out: Counter[str]) -> dict[int, list[Annotation]]:
    """The objects that can be used, by the number of their image, with corners as their `bbox`.

    The others are counted by what is wrong.
    """
    found: dict[int, list[Annotation]] = {image.id: [] for image in part.coco.images}
    for annotation in part.coco.annotations:
        if annotation.image_id not in found:
            left_out[UNLISTED] += 1
        elif annotation.category_id not in part.names:
            left_out[UNDECLARED] += 1
        elif annotation.iscrowd:
            left_out[CROWDS] += 1
        elif len(annotation.bbox) != 4:
            left_out[NO_BOX] += 1
        else:
            annotation.bbox = _corners(annotation.bbox)  # in place: of millions, two forms take much memory
            found[annotation.image_id].append(annotation)
    return found


def _classes(parts: Sequence[_Part], objects: Sequence[Mapping[int, list[Annotation]]]) -> tuple[list[str], list[str]]:
    """The names of the categories with objects, and of those without."""
    used = {
        part.names[each.category_id]
        for part, of_part in zip(parts, objects, strict=True)
        for found in of_part.values()
        for each in found
    }
    names = dict.fromkeys(name for part in parts for _, name in sorted(part.names.items()))
    return [name for name in names if name in used], [name for name in names if name not in used]


def _corners(bbox: tuple[float, ...]) -> tuple[float, ...]:
    x, y, width, height = bbox
    return x, y, x + width, y + height


def _mask(part: _Part, number: int) -> str | None:
    """The path of the mask that the file draws of an image, if it has outlines."""
    return f"{part.file}#{number}" if part.has_outlines else None


def _mask_values(classes: Sequence[str]) -> dict[int, int]:
    """The class number of each value that `striate.data.coco.stored_values` gives."""
    return {CROWD: IGNORED, BACKGROUND: 0} | {code_of(name): number for number, name in enumerate(classes, 1)}


def _require_once(paths: Sequence[str]) -> None:
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise DataError(
            f"data: expected each image once in all COCO files; got {twice[0]:.200} more than once. "
            "Give the one file that is meant."
        )
