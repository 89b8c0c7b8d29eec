"""COCO JSON: pictures, and of each its objects with box, outline and category."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from striate.augment.resample import IGNORED
from striate.data.coco import BACKGROUND, CROWD, Annotation, Coco, Image, has_outline, load
from striate.data.index import Index, build
from striate.data.paths import SafePaths
from striate.data.readers.annotations import IMAGE_FOLDERS, folder_named
from striate.data.readers.folders import SPLIT_FOLDERS
from striate.errors import DataError

ANNOTATION_FOLDERS = ("annotations", "annotation")
KEYS = (b'"images"', b'"annotations"', b'"categories"')  # one of them stands near the beginning of a COCO file
BEGINNING = 1 << 16  # bytes
SAMPLE = 100  # pictures by which their folder is found
UNLISTED = "objects of a picture that the file does not list"
UNDECLARED = "objects of a category that the file does not declare"
CROWDS = "crowds, which a mask ignores"
NO_BOX = "objects without a box of four numbers"


@dataclass(frozen=True)
class Part:
    """One file, the folder that its pictures' names start from, and their split."""

    file: Path
    coco: Coco
    folder: Path
    split: str | None


def recognises(path: Path) -> bool:
    """Whether `path` is a JSON file, or a folder that holds COCO files where they usually lie."""
    if path.is_file():
        return path.suffix.lower() == ".json"
    return path.is_dir() and bool(_files(path))


def read(path: Path, image_root: Path | None = None) -> Index:
    """Reads one COCO file, or all of a folder: of those named instances, where there are any, else all.

    Classes are the categories that have objects, in the order of their numbers. In a mask, class k has the number
    k + 1, because 0 is the background.

    Args:
        path: of the file; or of a folder that holds some, in its annotations/ or in its split folders.
        image_root: folder that the pictures' names start from; found beside the file unless given.

    Raises:
        DataError: if a file is not COCO JSON, its pictures are not found, or two files contradict each other.
    """
    root = _root(path) if image_root is None else image_root
    parts = [_part(file, root, file != path) for file in ([path] if path.is_file() else _files(path))]
    names = _category_names(parts)
    left_out: Counter[str] = Counter()
    objects = [_objects(part.coco, names, left_out) for part in parts]
    used = {each.category_id for of_part in objects for of_picture in of_part.values() for each in of_picture}
    classes = list(dict.fromkeys(names[number] for number in sorted(used)))
    has_room = len(classes) < IGNORED  # beside the background
    notes = [f"left out, {what}: {count}." for what, count in left_out.items()]
    unused = [name for name in dict.fromkeys(names.values()) if name not in classes]
    if unused:
        notes.append(f"categories without an object are no classes: {', '.join(unused)}.")
    if not has_room and any(_has_outlines(part.coco) for part in parts):
        notes.append(f"outlines are left out: a mask has room for {IGNORED - 1} classes, and there are {len(classes)}.")

    paths: list[str] = []
    boxes: list[list[tuple[float, ...]]] = []
    labels: list[list[int]] = []
    masks: list[str | None] = []
    for part, of_part in zip(parts, objects, strict=True):
        mask = _mask_file(part, root) if has_room else None
        beneath = _beneath(part.folder, root)
        for image in part.coco.images:
            of_picture = of_part.get(image.id, [])
            paths.append(beneath + image.file_name)
            boxes.append([_corners(each.bbox) for each in of_picture])
            labels.append([classes.index(names[each.category_id]) for each in of_picture])
            masks.append(None if mask is None else f"{mask}#{image.id}")
    _require_once(paths)
    safe = SafePaths(root)
    has_masks = any(mask is not None for mask in masks)
    return build(
        root,
        classes,
        paths,
        labels=labels,
        boxes=boxes,
        mask=masks,
        split=[part.split for part in parts for _ in part.coco.images],
        reason=[safe(each) for each in paths],
        mask_classes=["background", *classes] if has_masks else (),
        mask_values=_mask_values(names, classes) if has_masks else None,
        notes=notes,
    )


def _root(path: Path) -> Path:
    if path.is_dir():
        return path
    return path.parent.parent if path.parent.name.lower() in ANNOTATION_FOLDERS else path.parent


def _files(root: Path) -> list[Path]:
    """The COCO files of a folder; of these, those of instances, where there are captions and key points as well."""
    annotations = folder_named(root, ANNOTATION_FOLDERS)
    splits = (path for path in sorted(root.iterdir()) if path.name.lower() in SPLIT_FOLDERS and path.is_dir())
    places = [root, *([annotations] if annotations else []), *splits]
    files = [file for place in places for file in sorted(place.glob("*.json")) if _looks_like_coco(file)]
    return [file for file in files if "instances" in file.name] or files


def _looks_like_coco(file: Path) -> bool:
    with file.open("rb") as content:
        beginning = content.read(BEGINNING)
    return any(key in beginning for key in KEYS)


def _part(file: Path, root: Path, one_of_many: bool) -> Part:
    coco = load(file)
    split = _split(file.relative_to(root)) if one_of_many else None
    return Part(file, coco, _folder(coco.images, file, root), split)


def _split(file: Path) -> str | None:
    """The split that a file's name speaks of, else its folder's: train of instances_train2017.json."""
    words = re.findall("[a-z]+", file.as_posix().lower())
    return next((SPLIT_FOLDERS[word] for word in reversed(words) if word in SPLIT_FOLDERS), None)


def _folder(images: list[Image], file: Path, root: Path) -> Path:
    """The folder from which most of a file's pictures are found; of equals, one that the file is named after."""
    around = [file.parent, root, *filter(None, (folder_named(root, IMAGE_FOLDERS),))]
    folders = list(dict.fromkeys(place for each in around for place in (each, *_folders(each))))

    def fit(folder: Path) -> tuple[int, bool]:
        paths = (folder / image.file_name for image in images[:SAMPLE])
        found = sum(os.path.isfile(path) for path in paths)  # noqa: PTH113 - `Path.is_file` raises on a name too long
        return found, folder.name.lower() in file.stem.lower()

    best = max(folders, key=fit)
    if images and not fit(best)[0]:
        raise DataError(
            f"{file}: expected its pictures beside it, in {root} or in a folder of that; got no {images[0].file_name}."
        )
    return best


def _folders(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_dir())


def _category_names(parts: Iterable[Part]) -> dict[int, str]:
    """The name of each category, by its number."""
    names: dict[int, str] = {}
    for part in parts:
        for category in part.coco.categories:
            before = names.setdefault(category.id, category.name)
            if before != category.name:
                raise DataError(
                    f"{part.file}: expected category {category.id} to be {before}, as in the files before it; "
                    f"got {category.name}. Give one file at a time."
                )
    return dict(sorted(names.items()))


def _objects(coco: Coco, names: Mapping[int, str], left_out: Counter[str]) -> dict[int, list[Annotation]]:
    """The objects that can be used, by the number of their picture; counts the others by what is wrong."""
    pictures = {image.id for image in coco.images}
    objects: dict[int, list[Annotation]] = {}
    for each in coco.annotations:
        if each.image_id not in pictures:
            left_out[UNLISTED] += 1
        elif each.category_id not in names:
            left_out[UNDECLARED] += 1
        elif each.iscrowd:
            left_out[CROWDS] += 1
        elif len(each.bbox) != 4:
            left_out[NO_BOX] += 1
        else:
            objects.setdefault(each.image_id, []).append(each)
    return objects


def _corners(bbox: tuple[float, ...]) -> tuple[float, ...]:
    x, y, width, height = bbox
    return x, y, x + width, y + height


def _beneath(folder: Path, root: Path) -> str:
    """What the paths of a folder's files begin with."""
    return "" if folder == root else f"{folder.relative_to(root).as_posix()}/"


def _mask_file(part: Part, root: Path) -> str | None:
    """The path of the file that draws the masks, if it does."""
    if not _has_outlines(part.coco):
        return None
    return part.file.relative_to(root).as_posix() if part.file.is_relative_to(root) else str(part.file.absolute())


def _has_outlines(coco: Coco) -> bool:
    return any(map(has_outline, coco.annotations))


def _mask_values(names: Mapping[int, str], classes: list[str]) -> dict[int, int]:
    """The class number of each value that `striate.data.coco.stored_values` gives."""
    of_category = {number + 1: classes.index(name) + 1 for number, name in names.items() if name in classes}
    return {CROWD: IGNORED, BACKGROUND: 0} | of_category


def _require_once(paths: list[str]) -> None:
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise DataError(
            f"data: expected each picture once in all COCO files; got {twice[0]} more than once. "
            "Give the one file that is meant."
        )
