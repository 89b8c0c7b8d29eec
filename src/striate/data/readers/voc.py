"""Pascal VOC: an XML file an image, with its objects and their boxes.

Source: Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) challenge"; the development kit's folders
Annotations, JPEGImages, ImageSets/Main and SegmentationClass, and the folders of labelling tools.
Coordinates are kept as they are given. VOC counts pixels from 1, most tools that write its format from 0: a difference
of one pixel that no file tells.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from striate.data.formats.xml_file import parse_xml
from striate.data.index import Index
from striate.data.layouts.finder import ImageFinder, stem
from striate.data.layouts.layout import Finder, Layout, UnrelatedError
from striate.data.layouts.list_splits import split_lists
from striate.data.layouts.masks import pairs_of, several_masks
from striate.data.layouts.names import split_of_path
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.tables import folder_of
from striate.data.layouts.tree import Tree
from striate.data.paths import SafePaths
from striate.data.readers.annotations import AnnotatedImage, index_of, require_sizes, with_siblings
from striate.data.readers.mask_names import mask_names
from striate.data.readers.masks import values_of
from striate.errors import DataError
from striate.files import whole_number

CORNERS = ("xmin", "ymin", "xmax", "ymax")
MOST = 1 << 24  # bytes of an annotation
VOC_CLASSES = (  # in the order of the values of SegmentationClass, from 1
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads all annotations; an image beside annotated ones that has none is a row without a label.

    Raises:
        DataError: if no annotation names an image that is there.
    """
    tree = layout.tree
    finder = layout.finder or ImageFinder(tree)
    annotations: dict[str, AnnotatedImage] = {}
    reasons: dict[str, str] = {}
    safe, missing, left_out = SafePaths(tree.root), 0, 0
    for file in layout.files:
        try:
            name, found, incomplete = _annotation(tree, file)
        except DataError as error:
            path = finder.find(stem(file.rpartition("/")[2]), folder_of(file))
            if path is None:
                raise
            annotations[path], reasons[path] = AnnotatedImage(), str(error)
            continue
        path = _image(name, file, finder)
        left_out += incomplete
        if path is None or safe(path) is not None:
            missing += 1
        else:
            found.split = split_of_path(path.rpartition("/")[0])
            annotations[path] = found
    if not annotations:
        raise UnrelatedError(f"data: expected annotations of the images in {tree.root}; got none that names one.")
    if left_out and not any(each.names for each in annotations.values()):
        raise DataError(
            f"data: expected objects with a class and a box of four numbers in {tree.root}, as VOC has them; got "
            f"{left_out:,} without, such as in {layout.files[0]:.200}."
        )
    said = {path: (each.size, each.boxes) for path, each in annotations.items()}
    require_sizes(tree.root, said, layout.files[0])
    annotations = with_siblings(tree, annotations)
    listed, notes = split_lists(tree, ImageFinder(tree))
    for path, found in annotations.items():
        found.split = listed.get(path, found.split)
    notes += [f"left out, annotations of an image that is not there: {missing:,}."] if missing else []
    notes += [f"left out, objects without a class or a box of four numbers: {left_out:,}."] if left_out else []
    values, classes = _masks(tree, annotations, options)
    return index_of(
        tree.root, annotations, reasons=reasons, notes=notes, mask_classes=classes, mask_values=values or None
    )


def _annotation(tree: Tree, file: str) -> tuple[str, AnnotatedImage, int]:
    """The image that a file names, its objects, and how many of them are incomplete.

    Raises:
        DataError: if it is no such XML file.
    """
    path = tree.read_name(file)
    root = parse_xml(path, MOST)
    if root.tag != "annotation":
        raise DataError(f"{path}: expected an annotation of Pascal VOC; got <{root.tag}>.")
    width, height = (whole_number((root.findtext(f"size/{side}") or "").strip()) or 0 for side in ("width", "height"))
    found, incomplete = AnnotatedImage(size=(width, height)), 0
    for each in root.iter("object"):
        name = (each.findtext("name") or "").strip()
        if each.findtext("deleted") == "1":  # as the LabelMe of the web marks it
            continue
        try:
            box = _box(each)
        except ValueError:
            incomplete += 1
            continue
        if name:
            found.add(name, box)
        else:
            incomplete += 1
    return (root.findtext("filename") or "").strip(), found, incomplete


def _box(each: Element) -> list[float]:
    """The corners of an object's box, or those of its outline.

    Raises:
        ValueError: if it has neither.
    """
    points = each.findall("polygon/pt")
    if len(points) < 3 or each.find("bndbox") is not None:
        return [float(each.findtext(f"bndbox/{corner}") or "") for corner in CORNERS]
    xs, ys = ([float(point.findtext(axis) or "") for point in points] for axis in ("x", "y"))
    return [min(xs), min(ys), max(xs), max(ys)]


def _image(name: str, file: str, finder: Finder) -> str | None:
    """The image of an annotation: the one that it names, else the one that is named as it is."""
    near = folder_of(file)
    own = PurePosixPath(name.replace("\\", "/")).name
    return (own and finder.find(own, near)) or finder.find(stem(file.rpartition("/")[2]), near)


def _masks(
    tree: Tree, annotations: dict[str, AnnotatedImage], options: ReadOptions
) -> tuple[dict[int, int], Sequence[str]]:
    """Gives each annotated image its mask, where there are some; and what their values mean."""
    pairs = pairs_of(tree)
    if said := several_masks(pairs):
        raise DataError(f"data: expected one mask of each image in {tree.root}; but {said}.")
    masks = {pair.images.path_of(name): mask for pair in pairs for name, mask in pair.masks.items()}
    used = [mask for path, mask in masks.items() if path in annotations]
    for path, mask in masks.items():
        if path in annotations:
            annotations[path].mask = mask
    if not used:
        return {}, ()
    if not options.mask_classes and mask_names(tree) is None and "segmentationclass" in used[0].lower():
        return {}, ["background", *VOC_CLASSES]
    return values_of(tree, used, options.mask_classes)
