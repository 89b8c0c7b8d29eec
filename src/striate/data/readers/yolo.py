"""YOLO and KITTI: a text file an image, with its objects."""

from collections.abc import Mapping, Sequence

from striate.augment.resample import IGNORED
from striate.data.formats import yolo
from striate.data.index import Index
from striate.data.layouts.finder import ImageFinder, stem
from striate.data.layouts.layout import Layout, UnrelatedError
from striate.data.layouts.list_splits import split_lists
from striate.data.layouts.names import split_of_path, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.data.layouts.pairs import paired
from striate.data.layouts.text_file import numbered, read_lines, read_yaml
from striate.data.layouts.tree import Tree
from striate.data.outlines import mask_path
from striate.data.readers.annotations import AnnotatedImage, index_of, sizes_of, with_siblings
from striate.errors import DataError
from striate.files import list_names

NAME_FILES = (
    "classes.txt",
    "obj.names",
    "_darknet.labels",
    "labels.txt",
    "names.txt",
    "class_names.txt",
    "predefined_classes.txt",
)
FAR = 2.0  # shares of an image that no object reaches
DONT_CARE = "DontCare"  # of KITTI: a region that nobody has labelled


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads labels of YOLO; class names are those of data.yaml or of a file of names, else the numbers.

    Raises:
        DataError: if no label file belongs to an image, or a line is none of YOLO's.
    """
    tree = layout.tree
    about = _about(tree)
    files = label_files(layout)
    sizes = sizes_of(tree.root, list(files))
    annotations: dict[str, AnnotatedImage] = {}
    numbers: set[int] = set()
    outlines, count, far = False, 0, 0
    unread: list[str] = []
    names = _names(tree, about)
    for path, file in files.items():
        found = annotations.setdefault(path, AnnotatedImage(split=_split(path, about)))
        objects = yolo.parse(tree.read_name(file), has_key_points="kpt_shape" in about)
        if path not in sizes:
            unread.append(path)  # which the check names
            continue
        count, far = count + len(objects), far + sum(max(map(abs, each.box)) > FAR for each in objects)
        for each in objects:
            numbers.add(each.number)
            found.add(names.get(each.number, str(each.number)), each.scaled(sizes[path]))
        found.mask = mask_path(file, 0, *sizes[path])
        outlines = outlines or any(each.corners for each in objects)
    _require_shares(layout, count, far)
    _require_from_zero(layout, names, numbers)
    notes = _split_by_lists(tree, annotations)
    classes = [names.get(number, str(number)) for number in sorted(numbers)]
    has_masks = outlines and len(classes) < IGNORED
    if not has_masks:
        for found in annotations.values():
            found.mask = None
    notes += [f"boxes are left out of images that cannot be opened: {list_names(unread, 4)}."] if unread else []
    unnamed = [number for number in sorted(numbers) if names and number not in names]
    notes += [f"classes without a name: {list_names(map(str, unnamed))}."] if unnamed else []
    return index_of(
        tree.root,
        with_siblings(tree, annotations),
        classes=list(dict.fromkeys(classes)),
        notes=notes,
        mask_classes=["background", *classes] if has_masks else (),
        mask_values={0: 0} | {number + 1: place for place, number in enumerate(sorted(numbers), 1)}
        if has_masks
        else {},
    )


def _require_shares(layout: Layout, count: int, far: int) -> None:
    """Refuses objects of which most lie far outside of their image, as they do where the numbers are pixels.

    Raises:
        DataError: if they do.
    """
    if 2 * far > count:
        raise DataError(
            f"{layout.tree.root}: expected boxes of YOLO as shares of the image's width and height, from 0 to 1; got "
            f"larger numbers in {far:,} of {count:,}, such as in {layout.files[0]}. Divide pixels by the image's size."
        )


def _require_from_zero(layout: Layout, names: Mapping[int, str], numbers: set[int]) -> None:
    """Refuses class numbers that count from 1, so that each object would have the name of the next class.

    Raises:
        DataError: if they do.
    """
    if names and numbers and 0 not in numbers and max(numbers) == len(names) == max(names) + 1:
        raise DataError(
            f"{layout.tree.root}: expected class numbers from 0, as YOLO counts; got {min(numbers)} to {max(numbers)} "
            f"for {len(names)} names. Take 1 from each number, or name the class of 0 too."
        )


def _split_by_lists(tree: Tree, annotations: Mapping[str, AnnotatedImage]) -> list[str]:
    """Gives images the splits of the lists of a tree, such as train.txt and val.txt, where no folder says one."""
    if any(found.split for found in annotations.values()):
        return []
    splits, notes = split_lists(tree, ImageFinder(tree))
    if not telling_splits(splits.values()):
        return []
    for path, found in annotations.items():
        found.split = splits.get(path)
    return notes


def label_files(layout: Layout) -> dict[str, str]:
    """The label file of each image, by the path of the image.

    Raises:
        DataError: if none belongs to an image.
    """
    by_folder: dict[str, dict[str, str]] = {}
    for file in layout.files:
        folder, _, name = file.rpartition("/")
        by_folder.setdefault(folder, {})[stem(name)] = file
    images = [folder for folder in layout.tree.top.walk() if folder.images]
    found: dict[str, str] = {}
    image_folders = paired(by_folder, images)
    for folder, files in by_folder.items():
        for image_folder in image_folders.get(folder, ()):
            named = (name for name in image_folder.images if stem(name) in files)
            found |= {image_folder.path_of(name): files[stem(name)] for name in named}
    if not found:
        raise UnrelatedError(
            f"data: expected images named as the label files in {layout.tree.root} are; got none, such as "
            f"{stem(layout.files[0].rpartition('/')[2])}.jpg for {layout.files[0]}."
        )
    return found


def _about(tree: Tree) -> Mapping[str, object]:
    """What the data.yaml of a tree says; nothing where there is none."""
    for file in sorted(tree.others(".yaml", ".yml"), key=lambda file: (file.count("/"), file)):
        about = read_yaml(tree.read_name(file))
        if "names" in about:
            return about
    return {}


def _names(tree: Tree, about: Mapping[str, object]) -> dict[int, str]:
    """The name of each class number."""
    names = about.get("names")
    if isinstance(names, dict):
        return {
            int(number): str(name) for number, name in names.items() if str(number).isdecimal() and len(str(number)) < 7
        }
    if isinstance(names, list):
        return dict(enumerate(map(str, names)))
    by_name = {file.rpartition("/")[2].lower(): file for file in tree.others(".txt", ".names", ".labels")}
    for name in NAME_FILES:
        if name in by_name:
            return numbered([line for line in read_lines(tree.read_name(by_name[name])) if line])
    return {}


def _split(path: str, about: Mapping[str, object]) -> str | None:
    """The split of an image by its folders, else by what data.yaml says of them."""
    folder = path.rpartition("/")[0]
    found = split_of_path(folder)
    if found is not None:
        return found
    for split in ("train", "val", "test"):
        told = about.get(split)
        places = told if isinstance(told, list) else [told]
        ends = [str(place).strip("./").removeprefix("../") for place in places if place]
        if any(end and f"/{folder}/".endswith(f"/{end}/") for end in ends):
            return split
    return None


def read_kitti(layout: Layout, options: ReadOptions) -> Index:
    """Reads labels of KITTI: a class, three numbers, then the box in pixels.

    Raises:
        DataError: if no label file belongs to an image, or a line is none of KITTI's.
    """
    annotations: dict[str, AnnotatedImage] = {}
    for path, file in label_files(layout).items():
        found = annotations.setdefault(path, AnnotatedImage(split=split_of_path(path.rpartition("/")[0])))
        for number, line in enumerate(read_lines(layout.tree.read_name(file)), 1):
            values = line.split()
            if values and values[0] != DONT_CARE:
                found.add(values[0], _box(values, f"{layout.tree.read_name(file)}, line {number}"))
    return index_of(layout.tree.root, with_siblings(layout.tree, annotations))


def _box(values: Sequence[str], place: str) -> list[float]:
    try:
        return [float(values[column]) for column in (4, 5, 6, 7)]
    except (ValueError, LookupError) as error:
        raise DataError(
            f"{place}: expected a class and 14 numbers, as KITTI has them; got {' '.join(values):.80}."
        ) from error
