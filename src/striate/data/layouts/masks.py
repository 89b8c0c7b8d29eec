"""The readings of a tree as images and masks: a folder of each, or both in one."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from striate.data.layouts.finder import stem
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import parts_of, split_of_path, telling_splits, words
from striate.data.layouts.pairs import paired, rival
from striate.data.layouts.tree import Folder, Tree, suffix_of
from striate.files import list_names

MASK_SUFFIXES = frozenset({".png", ".gif", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg"})
ENDINGS = (  # that a mask's name may have beyond its image's
    *("_mask", "-mask", " mask", ".mask", "_masks", "_gt", "-gt", "_label", "_labels", "_seg", "_segmentation"),
    *("_segmentation_mask", "_annotation", "_anno", "_annot", "_groundtruth", "_ground_truth", "_manual1", "_manual"),
    *("_trimap", "_l", "_p", "_lbl", "_target", "_matte", "_alpha", "_bin", "_labelids", "_gtfine_labelids"),
    *("_gtfine_labeltrainids", "_labeltrainids", "_1stho", "_segm", "_pixels", "_superpixels", "_mask_0"),
)
BEGINNINGS = ("mask_", "mask-", "gt_", "label_", "seg_", "groundtruth_")
IMAGE_ENDINGS = (
    "_leftimg8bit",
    "_image",
    "_img",
    "_training",
    "_test",
    "_rgb",
    "_sat",
    "_satellite",
    "_input",
    "_photo",
)
OTHER_MASKS = frozenset(  # words of folders of masks that number objects, or show classes in colours
    {"instance", "instances", "object", "objects", "segmentationobject", "color", "colors", "colour", "colours", "rgb"}
)
DRAWN = frozenset({"visualization", "visualisation", "vis", "viz", "overlay", "overlays", "preview", "previews"})
IMAGE_BEGINNINGS = ("image_", "img_", "photo_", "rgb_")


@dataclass(frozen=True)
class Pair:
    """A folder of images, and the mask of each that has one."""

    images: Folder
    masks: Mapping[str, str]
    """Path of the mask by the name of its image; of several, one an object, with `*` for what parts their names."""

    folder: Folder
    """Where the masks lie."""

    @property
    def is_side_by_side(self) -> bool:
        """Whether the masks lie among their images."""
        return self.images.path == self.folder.path

    @property
    def split(self) -> str | None:
        """What the path of the images says, else that of the masks."""
        return split_of_path(self.images.path) or split_of_path(self.folder.path)


def find(tree: Tree) -> list[Layout]:
    """The reading as images and masks, where there are any pairs."""
    pairs = pairs_of(tree)
    if not pairs:
        return []
    folders = [f"{pair.folder.path or '.'}/" for pair in pairs]
    what = f"images and masks (masks in {list_names(dict.fromkeys(folders), 4)})"
    if any(pair.is_side_by_side for pair in pairs):
        what = "images and masks side by side, told by the ends of their names"
    order = telling_splits(pair.split for pair in pairs)
    what += f", in split{'s' if len(order) > 1 else ''} {', '.join(order)}" if order else ""
    read = {path for pair in pairs for path in (*map(pair.images.path_of, pair.images.images), *_files(pair))}
    unread = [
        folder for folder in tree.top.walk() if not read & set(map(folder.path_of, folder.images)) and folder.images
    ]
    count = sum(len(folder.images) for folder in unread)
    shown = list_names((f"{folder.path or '.'}/ ({len(folder.images):,})" for folder in unread), 4)
    few = f"{count:,} images without a mask beside them would not be read: {shown}" if count > len(read) else ""
    notes = [f"images that are not read, because no masks belong to their folders: {shown}."] if unread else []
    aside = [path for pair in pairs if pair.is_side_by_side for path in _aside(tree, pair, read)]
    told = list_names(aside, 3)
    several = [mask for pair in pairs for mask in pair.masks.values() if "*" in mask]
    notes += [f"images with several masks, one an object, that are read as one: {len(several):,}."] if several else []
    notes += [f"not read, because they are second masks or drawings of other images: {told}."] if aside else []
    doubt = several_masks(pairs) or _two_photos(pairs, tree) or few
    return [Layout("masks", what, tree, doubt=doubt, notes=tuple(notes))]


def _aside(tree: Tree, pair: Pair, read: set[str]) -> list[str]:
    """What lies beside the images and masks of a folder and is neither."""
    folder = tree.folder(pair.images.path)
    return [path for name in folder.images if (path := folder.path_of(name)) not in read] if folder else []


def pairs_of(tree: Tree) -> list[Pair]:
    """Folders of images with the folders of their masks, in the order of their paths."""
    folders = [folder for folder in tree.top.walk() if folder.images and not DRAWN & set(words(folder.name))]
    masks = {folder.path: folder for folder in folders if _holds_masks(folder, tree) or _is_all_marked(folder)}
    images = [folder for folder in folders if folder.path not in masks]
    together = [pair for folder in images if (pair := _side_by_side(folder)) is not None]
    if not masks:
        return together
    stems = {path: {base(name) for name in folder.images} for path, folder in masks.items()}
    bases = [_with_bases(folder) for folder in images]
    by_path = {folder.path: folder for folder in images}
    found = _of_objects(tree, masks)
    lone = {path: names for path, names in stems.items() if not any(pair.folder.path == path for pair in found)}
    for path, matched in paired(lone, bases).items():
        by_base = {base(name): name for name in reversed(masks[path].images)}
        for folder in (by_path[each.path] for each in matched):
            of_folder = {
                name: masks[path].path_of(by_base[image_base(name)])
                for name in folder.images
                if image_base(name) in by_base
            }
            found += [Pair(folder, of_folder, masks[path])] if of_folder else []
    return sorted([*_without_drawn(found), *together], key=lambda pair: pair.images.path)


def _of_objects(tree: Tree, masks: Mapping[str, Folder]) -> list[Pair]:
    """The pairs of images that have a folder each, with a folder of masks beside, one an object: DSB-2018's nuclei."""
    found = []
    for folder in masks.values():
        above = tree.folder(folder.path.rpartition("/")[0]) if "/" in folder.path else None
        beside = [each for each in above.with_images() if each is not folder] if above else []
        if len(beside) == 1 and len(beside[0].images) == 1 and parts_of(beside[0].name).role == "images":
            [name] = beside[0].images
            if image_base(name) not in {base(mask) for mask in folder.images}:
                found.append(Pair(beside[0], {name: folder.path_of("*")}, folder))
    return found if len(found) > 1 else []


def _files(pair: Pair) -> Iterator[str]:
    """The paths of all masks of a pair."""
    for mask in pair.masks.values():
        before, several, after = mask.partition("*")
        paths = (pair.folder.path_of(name) for name in pair.folder.images) if several else ()
        yield from [path for path in paths if path.startswith(before) and path.endswith(after)] if several else [mask]


def _without_drawn(pairs: list[Pair]) -> list[Pair]:
    """The pairs without masks of objects or in colours, where the same images have others, of classes."""
    plain = [pair for pair in pairs if not OTHER_MASKS & set(words(pair.folder.name))]
    masked = {pair.images.path_of(name) for pair in plain for name in pair.masks}
    left = (pair for pair in pairs if pair not in plain)
    return plain + [pair for pair in left if not masked & {pair.images.path_of(name) for name in pair.masks}]


def several_masks(pairs: Sequence[Pair]) -> str:
    """What is said where an image has a mask in each of two folders; "" where none has."""
    folder_of: dict[str, Folder] = {}
    for pair in pairs:
        for name in pair.masks:
            other = folder_of.setdefault(pair.images.path_of(name), pair.folder)
            if other is not pair.folder:
                return (
                    f"images of {pair.images.path or '.'}/ have masks in both {other.path or '.'}/ and "
                    f"{pair.folder.path or '.'}/: move those away that are not meant"
                )
    return ""


def _two_photos(pairs: Sequence[Pair], tree: Tree) -> str:
    """What is said where masks could belong to the images of either of two folders, as of before and after."""
    read = {folder.path for pair in pairs for folder in (pair.images, pair.folder)}
    others = [_with_bases(folder) for folder in tree.top.walk() if folder.images and folder.path not in read]
    for pair in pairs:
        stems = frozenset(base(path.rpartition("/")[2]) for path in pair.masks.values())
        found = rival(pair.folder.path, stems, _with_bases(pair.images), others)
        if found is not None:
            return f"masks of {pair.folder.path}/ could be of {pair.images.path}/ or of {found.path}/: move one away"
    return ""


def _with_bases(folder: Folder) -> Folder:
    """The folder with the names of its images as masks have them."""
    return Folder(folder.path, [f"{image_base(name)}.x" for name in folder.images])


def _holds_masks(folder: Folder, tree: Tree) -> bool:
    """Whether a folder's path has a word of labels, and its files may be masks; not Kvasir-SEG/images beside masks."""
    names = folder.path.split("/")
    above = tree.folder("/".join(names[:-1]))
    beside = {parts_of(each.name).role for each in above.with_images()} if above else set()
    if parts_of(names[-1]).role == "images" and "labels" in beside:
        return False
    said = any(parts_of(name).role == "labels" for name in names)
    return said and sum(suffix_of(name) in MASK_SUFFIXES for name in folder.images) * 2 > len(folder.images)


def _is_all_marked(folder: Folder) -> bool:
    """Whether all names in a folder say that they are masks, so that their images lie elsewhere."""
    stems = {stem(name).lower() for name in folder.images}
    return all(_is_marked(text) and _cut(text, ENDINGS, BEGINNINGS) not in stems for text in stems)


def _side_by_side(folder: Folder) -> Pair | None:
    """The images of a folder that also holds their masks."""
    marked = [name for name in folder.images if _is_marked(stem(name).lower())]
    if not marked:
        return _image_and_mask(folder)
    unmarked = [name for name in reversed(folder.images) if name not in marked]
    by_stem = {image_base(name): name for name in unmarked} | {stem(name).lower(): name for name in folder.images}
    found: dict[str, str] = {}
    for name in marked:
        cut = base(name)
        image = by_stem.get(cut)
        if cut != stem(name).lower() and image is not None and suffix_of(name) in MASK_SUFFIXES:
            found.setdefault(image, folder.path_of(name))
    if not found:
        return None
    found = {image: _of_all(mask, folder) for image, mask in found.items()}
    masked = {stem(name).lower() for name in found}
    beside = {name for name in folder.images if name not in found and _goes_with(stem(name).lower(), masked)}
    return Pair(Folder(folder.path, [name for name in folder.images if name not in beside]), found, folder)


def _of_all(mask: str, folder: Folder) -> str:
    """The path of a mask or, where others have its name and a number, as BUSI's x_mask_1.png, that of all of them."""
    before, _, suffix = mask.rpartition(".")
    own = re.compile(re.escape(before.rpartition("/")[2]) + r"[_-][0-9]+")
    return f"{before}*.{suffix}" if any(own.fullmatch(stem(name)) for name in folder.images) else mask


def _image_and_mask(folder: Folder) -> Pair | None:
    """The image of a folder of its own, beside a mask that is called so and nothing else: img.png and label.png."""
    masks = [name for name in folder.images if (parts := parts_of(stem(name))).role == "labels" and not parts.rest]
    if len(folder.images) != 2 or len(masks) != 1 or suffix_of(masks[0]) not in MASK_SUFFIXES:
        return None
    [image] = (name for name in folder.images if name not in masks)
    return Pair(folder, {image: folder.path_of(masks[0])}, folder)


def _goes_with(text: str, images: Iterable[str]) -> bool:
    """Whether a file's name is that of a masked image and a word more, as of a second mask or of an overlay."""
    ends = (text.removeprefix(each) for each in images if text.startswith(each) and text != each)
    return any(re.match(r"[ _.-]+\d*[a-z]", end) for end in ends)


def _is_marked(text: str) -> bool:
    return text.endswith(ENDINGS) or text.startswith(BEGINNINGS)


def base(name: str) -> str:
    """A mask's name without what says that it is one, in lower case.

    >>> base("0_mask.gif"), base("aachen_000000_gtFine_labelIds.png"), base("mask_7.png"), base("7.png")
    ('0', 'aachen_000000', '7', '7')
    """
    return _cut(stem(name).lower(), ENDINGS, BEGINNINGS)


def image_base(name: str) -> str:
    """An image's name without what says that it is one, in lower case, where a mask's may lack it."""
    return _cut(stem(name).lower(), IMAGE_ENDINGS, IMAGE_BEGINNINGS)


def _cut(text: str, endings: Iterable[str], beginnings: Iterable[str]) -> str:
    ending = max((each for each in endings if text.endswith(each)), key=len, default="")
    text = text.removesuffix(ending)
    beginning = next((each for each in beginnings if text.startswith(each)), "")
    return text.removeprefix(beginning) or text
