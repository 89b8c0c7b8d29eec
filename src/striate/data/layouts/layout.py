"""What data was taken for."""

from dataclasses import dataclass, field
from typing import Protocol

from striate.data.layouts.tree import Folder, Tree
from striate.errors import DataError


class UnrelatedError(DataError):
    """Annotations that name no image of the data, which may therefore be of other data."""


class Finder(Protocol):
    """What finds the image that a text means."""

    def find(self, text: str, near: str = "", split: str | None = None) -> str | None:
        """The path of the image, from the root; None where there is none.

        `near` is the folder of the text's file, and `split` what that file's name says.
        """
        ...


@dataclass(frozen=True)
class ClassFolder:
    """A folder whose images, at any depth, are of one class and one split."""

    folder: Folder
    name: str
    split: str | None


@dataclass(frozen=True)
class Layout:
    """One reading of a tree: its kind, and all that the reader of that kind has to know."""

    name: str
    """As `--layout` calls it."""

    what: str
    """What the data is taken for, without counts of rows: "class folders in splits train, val"."""

    tree: Tree
    files: tuple[str, ...] = ()
    """The paths of the files that hold the annotations, from the tree's root."""

    classes: tuple[ClassFolder, ...] = ()
    """Of class folders."""

    splits: dict[str, str] = field(default_factory=dict)
    """Of class folders: the split of each image that a list of the data's names, by its path."""

    finder: Finder | None = None
    """What finds images by the texts of `files`; of the tree, unless given."""

    is_given: bool = False
    """Whether the user gave the file by name, so that what its name says of a split is no part of it."""

    doubt: str = ""
    """Why this reading is taken only where it is asked for; "" where it is plausible."""

    notes: tuple[str, ...] = ()
    """What is left out, in sentences."""
