"""What a file of annotations holds, by how it begins and ends."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from striate.data.formats.box_lists import WIDER_BOX, keras_parts
from striate.data.formats.text_lines import DOTA, DOTA_HEAD, ICDAR, VISDRONE
from striate.data.layouts.json_file import ends_of
from striate.data.layouts.tree import Tree

FEW = 20  # files of a folder that are all looked into
SAMPLE = 20  # of more
YOLO_LINE = re.compile(r"\s*\d+(\s+-?[0-9.]+(e[-+]?\d+)?){4,}\s*", re.IGNORECASE)
KITTI_LINE = re.compile(r"\s*[A-Za-z_-]+(\s+-?[0-9.]+(e[-+]?\d+)?){14,15}\s*", re.IGNORECASE)
TELLING = re.compile(r"(?i)[.](jpe?g|png|bmp|tiff?)\b|([0-9.]{1,20}[\s,;:]{1,9}){2}[0-9.]{1,20}")
NUMBERS = re.compile(r"[-0-9.,\s]+")
LINES = {"yolo": YOLO_LINE, "kitti": KITTI_LINE, "visdrone": VISDRONE, "dota": DOTA, "icdar": ICDAR}
XML_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*)")
XML_ASIDE = re.compile(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>[]*(\[.*?\])?\s*>", re.DOTALL)


def json_kind(path: Path) -> str | None:
    """The layout of a JSON file: coco, labelme, via, createml, label-studio, supervisely or table; None for another."""
    content = ends_of(path)
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    has = {key for key in KEYS if b'"' + key.encode() + b'"' in content}
    if start == b"{":
        return _kind_of_object(has, content)
    if start == b"[":
        return _kind_of_list(has)
    return None


KEYS = (
    *("images", "annotations", "categories", "shapes", "imagePath", "imageHeight", "imageData", "regions", "filename"),
    *(
        "_via_img_metadata",
        "coordinates",
        "image",
        "data",
        "result",
        "completions",
        "predictions",
        "classTitle",
        "objects",
    ),
    *("box2d", "labels", "name"),
    *("file_name", "label", "shape_attributes", "bbox", "image_id"),
)


def _kind_of_object(has: set[str], content: bytes) -> str | None:
    if "shapes" in has and has & {"imagePath", "imageHeight", "imageData"}:
        return "labelme"
    if "_via_img_metadata" in has or ("regions" in has and has & {"filename", "shape_attributes"}):
        return "via"
    if "objects" in has and "classTitle" in has:
        return "supervisely"
    if len(has & {"images", "annotations", "categories"}) > 1 and has & {"images", "file_name", "image_id"}:
        return "coco"
    return "table"


def _kind_of_list(has: set[str]) -> str | None:
    if "box2d" in has and has & {"labels", "name"}:
        return "bdd"
    if "coordinates" in has and "annotations" in has:
        return "createml"
    if "data" in has and "result" in has and has & {"annotations", "completions", "predictions"}:
        return "label-studio"
    return "table"


def xml_kind(path: Path) -> str | None:
    """The layout of an XML file: voc or cvat; None for another."""
    root = XML_ROOT.search(XML_ASIDE.sub(b"", ends_of(path)))
    return {b"annotation": "voc", b"annotations": "cvat"}.get(root[1]) if root else None


def text_kind(path: Path) -> str | None:
    """The layout of a text file of objects, a line each: yolo, kitti, visdrone, dota, icdar; "" of an empty one."""
    lines = _lines(path)
    if not lines:
        return ""
    given = [line for line in lines if not DOTA_HEAD.fullmatch(line)]
    if all(NUMBERS.fullmatch(line) for line in given) and not all(map(VISDRONE.fullmatch, given)) and "," in lines[0]:
        return None  # no word in any line, as in the tracks of a video
    return next((kind for kind, line in LINES.items() if given and all(map(line.fullmatch, given))), None)


def list_kind(path: Path) -> str | None:
    """The layout of a text file of the boxes of many images: keras-yolo or wider; None of another."""
    lines = _lines(path)
    parted = [keras_parts(line) for line in lines]
    if parted and all(image and boxes for image, boxes in parted):
        return "keras-yolo"
    is_wider = len(lines) > 2 and lines[1].isdecimal() and WIDER_BOX.fullmatch(lines[2]) is not None
    return "wider" if is_wider and not WIDER_BOX.fullmatch(lines[0]) and not lines[0].isdecimal() else None


def _lines(path: Path) -> list[str]:
    """The first lines that are not empty, of a file's beginning and end."""
    text = ends_of(path).decode("utf-8-sig", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()][:50]


def tells_of_images(path: Path) -> bool:
    """Whether most lines of a text file name an image or hold three numbers or more, as annotations do."""
    lines = _lines(path)
    return 2 * sum(TELLING.search(line) is not None for line in lines) > len(lines)


def files_of_kind(
    tree: Tree, suffix: str, kind: str, kind_of: Callable[[Path], str | None], *, one_an_image: bool = False
) -> list[str]:
    """The paths of the files of one kind; of a folder of many, a sample tells what all are.

    Args:
        tree: that holds them.
        suffix: of the files.
        kind: as `kind_of` names it.
        kind_of: tells what a file holds.
        one_an_image: whether there is a file for each image, so that one of another kind beside them is a broken one.
    """
    found: list[str] = []
    for folder in tree.top.walk():
        paths = [folder.path_of(name) for name in folder.others if name.lower().endswith(suffix)]
        if len(paths) <= FEW and not one_an_image:
            found += [path for path in paths if kind_of(tree.read_name(path)) == kind]
        elif any(kind_of(tree.read_name(path)) == kind for path in paths[:: max(len(paths) // SAMPLE, 1)]):
            found += paths
    return found


def remembered(kind_of: Callable[[Path], str | None]) -> Callable[[Path], str | None]:
    """The same, looking into each file once."""
    known: dict[Path, str | None] = {}

    def remember(path: Path) -> str | None:
        if path not in known:
            known[path] = kind_of(path)
        return known[path]

    return remember


def folders_of(paths: Iterable[str]) -> list[str]:
    """The folders that files lie in, in order.

    >>> folders_of(["a/1.xml", "a/2.xml", "3.xml"])
    ['a', '']
    """
    return list(dict.fromkeys(path.rpartition("/")[0] for path in paths))
