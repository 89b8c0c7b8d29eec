"""What the names of folders and files say: a split, images, labels, litter; and the order of names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "tr", "trainval", "learn", "learning"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "vld", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "te", "ts", "eval", "evaluation", "holdout"), "test"),
}
LONG_SPLIT_WORDS = (
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "test",
    "testing",
)  # that classes hardly begin with
DOCUMENTS = (
    "readme",
    "license",
    "licence",
    "copying",
    "citation",
    "changelog",
    "source",
    "notice",
    "authors",
    "md5",
    "sha1",
    "sha256",
    "checksum",
)
PHOTO_WORDS = frozenset({"photo", "photos", "picture", "pictures", "pic", "pics", "patches", "frames"})
IMAGE_WORDS = PHOTO_WORDS | {"image", "images", "img", "imgs", "jpegimages", "leftimg8bit", "rgb"}
LABEL_WORDS = frozenset(
    {
        *("label", "labels", "mask", "masks", "annotation", "annotations", "annot", "annots", "anno", "annos", "ann"),
        *(
            "labeled",
            "labelled",
            "xml",
            "xmls",
            "bbox",
            "bboxes",
            "gt",
            "groundtruth",
            "truth",
            "segmentation",
            "segmentations",
            "seg",
        ),
        *("segmentationclass", "segmentationobject", "trimap", "trimaps", "gtfine", "gtcoarse"),
    }
)
CONTAINER_WORDS = frozenset(
    {
        *("set", "sets", "data", "dataset", "datasets", "split", "splits", "subset", "folder", "folders", "dir", "zip"),
        *(
            "files",
            "jpg",
            "jpeg",
            "png",
            "tif",
            "tiff",
            "all",
            "new",
            "final",
            "x",
            "raw",
            "resized",
            "archive",
            "input",
        ),
    }
)
UNLABELLED_WORDS = frozenset(
    {"unknown", "unlabeled", "unlabelled", "unlab", "pred", "predict", "prediction", "inference", "submission"}
)
PROJECT_FOLDERS = frozenset(  # of who worked with the data, where figures lie
    {
        *("docs", "doc", "documentation", "notebooks", "scripts", "src", "logs", "checkpoints", "runs", "outputs"),
        *(
            "results",
            "plots",
            "predictions",
            "preds",
            "output",
            "figures",
            "visualizations",
            "inference",
            "submissions",
        ),
    }
)
CAMERA_FOLDER = re.compile(r"[1-9][0-9]{2}[A-Z0-9_]{5}")  # of a memory card (DCF, JEITA CP-3461): 100CANON
SESSION_WORDS = frozenset(
    {
        *(
            "session",
            "batch",
            "part",
            "day",
            "set",
            "roll",
            "video",
            "clip",
            "seq",
            "sequence",
            "cam",
            "camera",
            "fold",
        ),
        *("subject", "patient", "case", "visit", "scan", "folder", "new", "untitled", "shoot", "take", "run", "shard"),
    }
)
FOLD = re.compile(r"(?i)(?:k[ _-]?)?folds?[ _.-]*([0-9]{1,3})")
GLUED = re.compile(
    r"(training|train|validation|valid|val|dev|testing|test|eval)"
    r"(sets?|data|dataset|images?|imgs?|photos|annotations?|annots?|annos?|masks?|labels?|gt|dir|folder|split|zip|val)"
)
ROMAN_AND_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|[0-9]+")
LITTER_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "ehthumbs_vista.db", "icon\r", "folder.jpg.lnk"})
LITTER_FOLDERS = frozenset(
    {
        *("__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found"),
        *("network trash folder", "temporary items", "thevolumesettingsfolder", "#recycle"),
    }
)
LONGEST = 1000  # characters of a name that its place depends on
DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class NameParts:
    """What a folder's name is made of."""

    split: str | None
    """train, val or test, where the name has one word of a split."""

    role: str | None
    """`images` or `labels`, where a word says what lies in the folder."""

    rest: tuple[str, ...]
    """The other words, without those that any folder of data may have."""


def words(name: str) -> list[str]:
    """The words of a name, in lower case; numbers are words too.

    >>> words("Training_Images"), words("trainannot"), words("imagesTr"), words("val2017")
    (['training', 'images'], ['train', 'annot'], ['images', 'tr'], ['val', '2017'])
    """
    if name.lower() in IMAGE_WORDS | LABEL_WORDS:
        return [name.lower()]
    found: list[str] = []
    for word in ROMAN_AND_CAMEL.findall(name):
        glued = GLUED.fullmatch(word.lower())
        found += [word.lower()] if word.lower() in SPLIT_WORDS or glued is None else glued.groups()
    return found


def parts_of(name: str) -> NameParts:
    """The split, the role and the other words of a folder's name.

    >>> parts_of("train_images")
    NameParts(split='train', role='images', rest=())
    >>> parts_of("asl_alphabet_test")
    NameParts(split='test', role=None, rest=('asl', 'alphabet'))
    """
    split, role, rest = None, None, []
    for word in words(name):
        if split is None and word in SPLIT_WORDS:
            split = SPLIT_WORDS[word]
        elif word in LABEL_WORDS or word == "ground":
            role = "labels"
        elif word in IMAGE_WORDS:
            role = role or "images"
        elif word not in CONTAINER_WORDS:
            rest.append(word)
    return NameParts(split, role, tuple(rest))


def split_of(name: str) -> str | None:
    """The split that a folder's name means, where it says nothing else; numbers such as a year apart.

    >>> split_of("training_set"), split_of("val2017"), split_of("Test"), split_of("trained_dogs"), split_of("dogs_test")
    ('train', 'val', 'test', None, None)
    """
    found = parts_of(name)
    is_split = found.role != "labels" and all(word.isdecimal() for word in found.rest)
    return found.split if is_split else None


def split_of_path(path: str) -> str | None:
    """The split that a folder of a path means: the last that means one.

    >>> split_of_path("images/train2017"), split_of_path("yolo/valid/images")
    ('train', 'val')
    """
    for name in reversed(path.split("/")):
        found = parts_of(name).split
        if found is not None:
            return found
    return None


def telling_splits(splits: Iterable[str | None]) -> list[str]:
    """The splits that parts of data are in, in their order; none where all of it is in train, which parts nothing.

    >>> telling_splits(["test", "train", None]), telling_splits(["train", "train"])
    (['train', 'test'], [])
    """
    found = set(splits)
    order: list[str] = [split for split in ("train", "val", "test") if split in found]
    return [] if found == {"train"} else order


def split_and_class(name: str) -> tuple[str, str] | None:
    """The split and the rest of a name that begins or ends with a split's word.

    >>> split_and_class("ants_train"), split_and_class("test-bees"), split_and_class("training set")
    (('train', 'ants'), ('test', 'bees'), None)
    """
    word = "|".join(LONG_SPLIT_WORDS)
    for pattern in (rf"(?P<word>{word})[ ._-]+(?P<rest>.+)", rf"(?P<rest>.+?)[ ._-]+(?P<word>{word})"):
        found = re.fullmatch(pattern, name, re.IGNORECASE)
        if found and not is_container(found["rest"]):
            return SPLIT_WORDS[found["word"].lower()], found["rest"]
    return None


def is_container(name: str) -> bool:
    """Whether a name says only that images, labels or data lie there, and so is hardly a class.

    >>> [is_container(name) for name in ("images", "labels", "train", "val2017", "dataset", "ants", "10", "class_1")]
    [True, True, True, True, True, False, False, False]
    """
    found = words(name)
    known = CONTAINER_WORDS | LABEL_WORDS | (IMAGE_WORDS - PHOTO_WORDS) | SPLIT_WORDS.keys() | {"ground"}
    plain = [word for word in found if not word.isdecimal()]
    numbered = len(plain) < len(found)
    return bool(plain) and all(word in known for word in plain) and (not numbered or split_of(name) is not None)


def is_part_of_many(name: str) -> bool:
    """Whether a name numbers sessions, batches or parts, or is a date: something that images come in, and no class.

    >>> [is_part_of_many(name) for name in ("session1", "New folder (2)", "2023-05-01", "HAM10000_images_part_1", "7")]
    [True, True, True, True, False]
    """
    if re.fullmatch(r"(19|20)\d\d[-_.]?\d\d[-_.]?\d\d", name) or CAMERA_FOLDER.fullmatch(name):
        return True
    found = [word for word in words(name) if not word.isdecimal()]
    numbered = any(word.isdecimal() for word in words(name))
    if found and all(word in SESSION_WORDS | CONTAINER_WORDS for word in found):
        return True
    return numbered and any(word in SESSION_WORDS for word in found) and any(word in IMAGE_WORDS for word in found)


def fold_of(name: str, above: str = "") -> int | None:
    """The number of a fold that a folder's name means, which may be alone where the folder above is called folds.

    >>> fold_of("fold1"), fold_of("Fold_10"), fold_of("3", "folds"), fold_of("3"), fold_of("unfold1")
    (1, 10, 3, None, None)
    """
    found = FOLD.fullmatch(name) or (re.fullmatch(r"([0-9]{1,3})", name) if words(above)[-1:] == ["folds"] else None)
    return int(found[1]) if found else None


def says_no_image(name: str) -> bool:
    """Whether a text file by its name tells about data, or names classes, and says nothing of any image."""
    return is_document(name) or bool({"classes", "names", "wnids", "words", "synset", "categories"} & set(words(name)))


def is_document(name: str) -> bool:
    """Whether a file tells about data and holds none."""
    lower = name.lower()
    return lower.endswith((".md", ".rst", ".pdf", ".bib", ".py", ".ipynb")) or lower.startswith(DOCUMENTS)


def natural_key(name: str) -> tuple[tuple[str | tuple[int, str], ...], str]:
    """Sorts names as people count.

    >>> sorted(["10", "2", "1", "img10", "img9"], key=natural_key)
    ['1', '2', '10', 'img9', 'img10']
    """
    parts = DIGITS.split(name[:LONGEST])  # a text and a number by turns, from a text on
    key = tuple((len(part.lstrip("0")), part.lstrip("0")) if place % 2 else part for place, part in enumerate(parts))
    return key, name


def is_litter(name: str, *, folder: bool = False) -> bool:
    """Whether an operating system, a program or a notebook left it: nothing hidden is ever data.

    >>> is_litter(".DS_Store"), is_litter("Thumbs.db"), is_litter("__MACOSX", folder=True), is_litter("1.jpg")
    (True, True, True, False)
    """
    lower = name.lower()
    if lower.startswith((".", "~$")) or lower.endswith(("~", ".lnk", ".part", ".crdownload")):
        return True
    return lower in (LITTER_FOLDERS if folder else LITTER_FILES)
