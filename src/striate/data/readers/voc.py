"""Pascal VOC: an XML file a picture, with its objects and their boxes.

Source: Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) challenge"; the development kit's folders
Annotations, JPEGImages, ImageSets/Main and SegmentationClass, and the annotations/ and images/ of labelling tools.
Coordinates are kept as they are given. VOC counts pixels from 1, most tools that write its format from 0: a difference
of one pixel that no file tells.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from striate.data.index import Index, build
from striate.data.paths import SafePaths
from striate.data.readers.annotations import IMAGE_FOLDERS, Objects, folder_named, images_by_stem
from striate.data.readers.folders import IMAGE_SUFFIXES, SPLIT_FOLDERS
from striate.errors import DataError

ANNOTATION_FOLDERS = ("annotations", "annotation", "xml", "xmls")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
VOC_CLASSES = (  # in the order of the values of SegmentationClass, from 1
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def recognises(path: Path) -> bool:
    """Whether `path` is a folder with XML files beside its pictures, or in a folder of annotations."""
    return path.is_dir() and next(_xml_files(path), None) is not None


def read(root: Path) -> Index:
    """Reads all annotations below `root`; a picture that has none is a row without a label.

    Raises:
        DataError: if no annotation names a picture that is there.
    """
    annotations = folder_named(root, ANNOTATION_FOLDERS) or root
    folder = folder_named(root, IMAGE_FOLDERS) or root
    pictures = images_by_stem(folder, root)
    found: dict[str, Objects] = {}
    reasons: dict[str, str] = {}
    safe, missing, ignored = SafePaths(root), 0, 0
    for file in _xml_files(root):
        try:
            name, objects, left_out = _annotation(file)
        except DataError as error:
            path = pictures.get(file.stem)
            if path is None:
                raise
            found[path], reasons[path] = Objects(), str(error)
            continue
        path = _path(name, file.stem, pictures, folder, root)
        ignored += left_out
        if path is None or safe(path) is not None:
            missing += 1
        else:
            found[path] = objects
    if not found:
        raise DataError(f"{annotations}: expected annotations of the pictures in {folder}; got none that names one.")
    masks = folder_named(root, ("segmentationclass",))
    by_stem = {} if masks is None else images_by_stem(masks, root)
    splits = _splits(root)
    for path in pictures.values():
        found.setdefault(path, Objects())
    for path, objects in found.items():
        objects.split, objects.mask = splits.get(Path(path).stem), by_stem.get(Path(path).stem)
    notes = [
        f"{what}: {number}."
        for number, what in (
            (missing, "left out, annotations of a picture that is not there"),
            (ignored, "left out, objects without a class or a box of four numbers"),
            (sum(not objects.names for objects in found.values()), "pictures without objects"),
        )
        if number
    ]
    return index_of(root, found, reasons, notes, ["background", *VOC_CLASSES] if by_stem else [])


def index_of(
    root: Path,
    found: dict[str, Objects],
    reasons: dict[str, str] | None = None,
    notes: list[str] | None = None,
    mask_classes: list[str] | None = None,
) -> Index:
    """An index of pictures with objects, in the order of their paths.

    Args:
        root: folder that the paths start from.
        found: objects by the path of their picture.
        reasons: why a picture is left out, by path.
        notes: what was left out.
        mask_classes: names of the class numbers in masks, each of which is its own value.
    """
    classes = sorted({name for objects in found.values() for name in objects.names})
    number = {name: i for i, name in enumerate(classes)}
    paths = sorted(found)
    rows = [found[path] for path in paths]
    return build(
        root,
        classes,
        paths,
        labels=[[number[name] for name in row.names] for row in rows],
        boxes=[row.boxes for row in rows],
        mask=[row.mask for row in rows],
        split=[row.split for row in rows],
        reason=[(reasons or {}).get(path) for path in paths],
        mask_classes=mask_classes or (),
        mask_values={i: i for i in range(len(mask_classes or ()))},
        notes=notes or (),
    )


def _xml_files(root: Path) -> Iterator[Path]:
    folder = folder_named(root, ANNOTATION_FOLDERS)
    if folder is not None:
        yield from sorted(folder.rglob("*.xml"))
    elif any(path.suffix.lower() in IMAGE_SUFFIXES for path in root.iterdir()):
        yield from sorted(root.glob("*.xml"))


def _annotation(file: Path) -> tuple[str, Objects, int]:
    """The picture that a file names, its objects, and how many of them are incomplete.

    Raises:
        DataError: if it is no such XML file.
    """
    content = file.read_bytes()
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:  # what can grow without end
        raise DataError(f"{file}: expected plain XML in UTF-8; got one that declares entities or another encoding.")
    try:
        tree = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{file}: expected an annotation in XML; {error}.") from error
    if tree.tag != "annotation":
        raise DataError(f"{file}: expected an annotation of Pascal VOC; got <{tree.tag}>.")
    objects, ignored = Objects(), 0
    for each in tree.iter("object"):
        name = (each.findtext("name") or "").strip()
        try:
            box = [float(each.findtext(f"bndbox/{corner}") or "") for corner in CORNERS]
        except ValueError:
            ignored += 1
            continue
        if not name:
            ignored += 1
            continue
        objects.names.append(name)
        objects.boxes.append(box)
    return (tree.findtext("filename") or "").strip(), objects, ignored


def _path(name: str, stem: str, pictures: dict[str, str], folder: Path, root: Path) -> str | None:
    """The picture of an annotation: the one that it names, else the one that is named as it is."""
    named = folder / name.replace("\\", "/")
    if name and named.is_file() and named.suffix.lower() in IMAGE_SUFFIXES and ".." not in named.parts:
        return named.relative_to(root).as_posix() if named.is_relative_to(root) else None
    return pictures.get(stem) or pictures.get(Path(name).stem)


def _splits(root: Path) -> dict[str, str]:
    """The split of each picture by its stem, by the lists in ImageSets/Main."""
    found: dict[str, str] = {}
    for name, split in reversed(SPLIT_FOLDERS.items()):
        file = root / "ImageSets" / "Main" / f"{name}.txt"
        if file.is_file():
            found |= {line.split()[0]: split for line in file.read_text(encoding="utf-8").splitlines() if line.split()}
    return found
