"""The readings of a tree as objects of its images, in files of annotations."""

from collections.abc import Callable, Sequence
from pathlib import Path

from striate.data.formats import mot
from striate.data.layouts.annotation_files import (
    LINES,
    files_of_kind,
    folders_of,
    json_kind,
    list_kind,
    remembered,
    text_kind,
    xml_kind,
)
from striate.data.layouts.json_file import ends_of
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import split_of_path, telling_splits
from striate.data.layouts.tree import Tree
from striate.files import list_names

JSON_KINDS = {
    "bdd": "boxes of BDD100K",
    "labelme": "boxes and outlines of labelme",
    "via": "boxes and outlines of VIA, the VGG Image Annotator,",
    "createml": "boxes of CreateML",
    "label-studio": "labels of Label Studio",
    "supervisely": "boxes and outlines of Supervisely",
}
TOLD = {
    **JSON_KINDS,
    "coco": "COCO objects",
    "voc": "Pascal VOC objects",
    "cvat": "boxes, outlines and tags of CVAT",
    "yolo": "YOLO objects",
    "kitti": "KITTI objects",
    "visdrone": "boxes of VisDrone",
    "dota": "boxes of DOTA",
    "icdar": "words of ICDAR",
    "keras-yolo": "boxes of Keras' YOLO",
    "wider": "boxes of WIDER FACE",
    "odgt": "boxes of CrowdHuman",
    "mot": "boxes of MOT",
    "manifest": "labels of SageMaker's manifest",
}
ONE_AN_IMAGE = ("labelme", "supervisely")
LISTS = (
    "train.txt",
    "val.txt",
    "valid.txt",
    "test.txt",
    "classes.txt",
    "notes.txt",
    "readme.txt",
    "obj.txt",
    "labels.txt",
)


def _odgt(path: Path) -> str | None:
    return "odgt" if b'"gtboxes"' in ends_of(path) else None


def _mot(path: Path) -> str | None:
    """`mot` of a file of MOT's boxes by its name and its first line; None of another."""
    if path.name.lower() != mot.FILE:
        return None
    first = ends_of(path).decode("utf-8", "replace").lstrip().partition("\n")[0].strip()
    return "mot" if mot.LINE.fullmatch(first) else None


def _manifest(path: Path) -> str | None:
    return "manifest" if b'"source-ref"' in ends_of(path) else None


OF_MANY: Sequence[tuple[str, str, Callable[[Path], str | None]]] = (
    ("keras-yolo", ".txt", list_kind),
    ("wider", ".txt", list_kind),
    ("odgt", ".odgt", _odgt),
    ("mot", ".txt", _mot),
    ("manifest", ".manifest", _manifest),
)


def find(tree: Tree) -> list[Layout]:
    """A reading for each kind of annotations that the tree holds."""
    return [*_coco(tree), *_in_json(tree), *_in_xml(tree), *_in_text(tree)]


def told(kind: str) -> str:
    """What the annotations of a kind are."""
    return TOLD[kind]


def kind_of_many(path: Path) -> str | None:
    """The layout of a text file of the boxes of many images; None of another file."""
    kinds = (name for name, suffix, kind in OF_MANY if path.suffix.lower() == suffix and kind(path) == name)
    return next(kinds, None)


def _coco(tree: Tree) -> list[Layout]:
    files = files_of_kind(tree, ".json", "coco", remembered(json_kind))
    instances = [file for file in files if "instances" in file.rpartition("/")[2]]
    chosen = tuple(instances or files)
    if not chosen:
        return []
    return [Layout("coco", f"COCO objects in {list_names(chosen, 3)}{_splits(chosen)}", tree, chosen)]


def _in_json(tree: Tree) -> list[Layout]:
    found = []
    kind_of = remembered(json_kind)
    for name, what in JSON_KINDS.items():
        files = tuple(files_of_kind(tree, ".json", name, kind_of, one_an_image=name in ONE_AN_IMAGE))
        if files:
            found.append(Layout(name, f"{what} in {_files(files, 'JSON')}{_splits(files)}", tree, files))
    return found


def _in_xml(tree: Tree) -> list[Layout]:
    found = []
    kind_of = remembered(xml_kind)
    for name in ("voc", "cvat"):
        files = tuple(files_of_kind(tree, ".xml", name, kind_of, one_an_image=name == "voc"))
        if files:
            found.append(Layout(name, f"{TOLD[name]} in {_files(files, 'XML')}{_splits(files)}", tree, files))
    return found


def _in_text(tree: Tree) -> list[Layout]:
    """Text files named as the images are, of YOLO, KITTI and others; and those of the boxes of many images."""
    found = []
    for name, suffix, kind in OF_MANY:
        files = files_of_kind(tree, suffix, name, kind)
        if files:
            found.append(Layout(name, f"{TOLD[name]} in {_files(files, 'text')}", tree, tuple(files)))
    kind_of = remembered(text_kind)
    for name in LINES:
        files = files_of_kind(tree, ".txt", name, kind_of, one_an_image=True)
        files = [file for file in files if file.rpartition("/")[2] not in LISTS]
        if files:
            found.append(Layout(name, f"{TOLD[name]} in {_files(files, 'text')}{_splits(files)}", tree, tuple(files)))
    return found


def _files(files: Sequence[str], kind: str) -> str:
    """How many files, and where."""
    if len(files) == 1:
        return files[0]
    folders = [folder or "the folder itself" for folder in folders_of(files)]
    return f"{len(files):,} {kind} files of {list_names(folders, 4)}"


def _splits(files: Sequence[str]) -> str:
    order = telling_splits(split_of_path(file.rpartition(".")[0]) for file in files)
    return f", in split{'s' if len(order) > 1 else ''} {', '.join(order)}" if order else ""
