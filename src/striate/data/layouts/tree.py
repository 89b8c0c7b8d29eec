"""A folder and all below it, listed once: what decides the layout is what the readers read."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from striate.data.image_formats import IMAGE_SUFFIXES, begins_as_image
from striate.data.layouts.names import is_litter
from striate.data.paths import file_of, to_text
from striate.data.raw_pixels import is_image_header
from striate.errors import DataError
from striate.files import list_names, open_regular

DEPTH = 32  # folders below one another; deeper ones are no data set
ENDLESS = ("/proc", "/sys")  # where folders are made while they are listed
ARRAY = ".npy"
LABEL_ARRAY = re.compile(r"(?i)(.*[-_.])?(y|labels?|targets?|classes|class)([-_.].*)?[.]npy")  # beside one of images
RUN = "recipe.toml"  # what a folder of a training has, beside one of these or more
OF_A_RUN = frozenset({"log.txt", "index.parquet", "check.csv"})
SAMPLE = 200  # files without a suffix that are looked into, a folder


@dataclass(slots=True)
class Folder:
    """A folder without what is litter in it."""

    path: str
    """From the root; "" is the root itself."""

    images: list[str] = field(default_factory=list)
    """Names of the files that are images by their suffix or, where they have none, by their content; sorted."""

    others: list[str] = field(default_factory=list)
    """Names of all other files, sorted."""

    folders: dict[str, "Folder"] = field(default_factory=dict)
    """By their names, sorted."""

    count: int = 0
    """Images in it and in all folders below."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    def path_of(self, name: str) -> str:
        """The path, from the root, of what is called `name` in it."""
        return f"{self.path}/{name}" if self.path else name

    def walk(self) -> "Iterator[Folder]":
        """The folder and all below it, in the order of their paths."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting += reversed(folder.folders.values())

    def with_images(self) -> "list[Folder]":
        """The folders right in it that hold images, at any depth."""
        return [folder for folder in self.folders.values() if folder.count]

    def entries(self) -> list[str]:
        """The names of all files and folders in it, sorted."""
        return sorted([*self.images, *self.others, *self.folders])

    def marked_files(self) -> Iterator[tuple[str, bool]]:
        """The paths of all files in it and below, in the order of their names, and whether each is an image."""
        waiting = [(self, iter(self.entries()), frozenset(self.images))]
        while waiting:
            folder, names, images = waiting[-1]
            name = next(names, None)
            if name is None:
                waiting.pop()
            elif name in folder.folders:
                below = folder.folders[name]
                waiting.append((below, iter(below.entries()), frozenset(below.images)))
            else:
                yield folder.path_of(name), name in images


@dataclass(frozen=True)
class Tree:
    """All below a root."""

    root: Path
    top: Folder
    notes: tuple[str, ...] = ()
    """What was left out, in sentences."""

    def folder(self, path: str) -> Folder | None:
        """The folder at a path from the root, where there is one."""
        found: Folder | None = self.top
        for name in path.split("/") if path else ():
            found = found and found.folders.get(name)
        return found

    def others(self, *suffixes: str) -> Iterator[str]:
        """The paths of the files that are no images and end in one of `suffixes`, in order."""
        for folder in self.top.walk():
            yield from (folder.path_of(name) for name in folder.others if name.lower().endswith(suffixes))

    def read_name(self, path: str) -> Path:
        """Where a path from the root lies."""
        return file_of(self.root, path)


def survey(root: Path) -> Tree:
    """Lists a folder and all below it, each folder once, wherever links lead.

    What links lead to counts as what it is, except where a link leads to a folder that is listed already.

    Raises:
        DataError: if a folder cannot be listed, a link leads to a folder that it lies in, or folders lie too deep.
    """
    surveyor = _Surveyor(root)
    top = surveyor.survey(root)
    return Tree(root, top, tuple(surveyor.notes()))


class _Surveyor:
    """Lists folders, and remembers which it has listed and what it left out.

    Folders of earlier trainings are left out where they lie in the data, as those of `striate train .` do.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._visited: set[tuple[int, int]] = set()
        self._links: list[tuple[Folder, str]] = []
        self._again: list[str] = []
        self._endless: list[str] = []
        self._litter: list[str] = []
        self._runs: list[str] = []
        self._bare: list[str] = []  # images without a suffix

    def survey(self, root: Path) -> Folder:
        """The folder at `root` and all below; folders before the links to them."""
        try:
            status = root.stat()
        except OSError as error:
            raise _unlisted(root, error) from error
        self._visited.add((status.st_dev, status.st_ino))
        top = Folder("")
        found = self._list_below(top)
        while self._links:
            links, self._links = sorted(self._links, key=lambda link: link[0].path_of(link[1])), []
            for folder, name in links:  # which may hold links too
                found += self._follow(folder, name)
        for folder in sorted(found, key=lambda each: each.path.count("/") + bool(each.path), reverse=True):
            below = {name: each for name, each in folder.folders.items() if not self._holds_runs_alone(each)}
            folder.folders = dict(sorted(below.items()))
            folder.count = len(folder.images) + sum(below.count for below in folder.folders.values())
        return top

    def notes(self) -> Iterator[str]:
        """What was left out, in sentences."""
        if self._litter:
            count = len(self._litter)
            names = list_names(dict.fromkeys(path.rpartition("/")[2] for path in self._litter), 4)
            yield f"left out: {count:,} hidden or left by a system ({names})."
        if self._runs:
            yield f"left out, what trainings have left here: {list_names(sorted(self._runs), 4)}."
        if self._again:
            yield f"left out, links to folders that are read already: {list_names(self._again, 4)}."
        if self._endless:
            yield f"left out, links to the system's own folders: {list_names(self._endless, 4)}."
        if self._bare:
            yield (
                f"files without a suffix, read because they are images by their content: {list_names(self._bare, 4)}. "
                "A suffix such as .jpg would help other tools."
            )

    def _list_below(self, top: Folder) -> list[Folder]:
        """Lists `top` and all below it that are no links; gives all that were listed."""
        listed: list[Folder] = []
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            listed.append(folder)
            if folder.path.count("/") >= DEPTH:
                deep = file_of(self._root, folder.path)
                raise DataError(
                    f"data: expected at most {DEPTH} folders below one another; got more: {deep}. "
                    "Give the folder that holds the images."
                )
            waiting += self._list_one(folder)
        return listed

    def _list_one(self, folder: Folder) -> list[Folder]:
        """Fills one folder; gives the folders in it."""
        path = file_of(self._root, folder.path)
        bare: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    self._take(folder, entry, bare)
        except OSError as error:
            raise _unlisted(path, error) from error
        if folder.path and RUN in folder.others and not OF_A_RUN.isdisjoint(folder.others):
            self._runs.append(folder.path)
            folder.images, folder.others, folder.folders = [], [], {}
            return []
        if bare:
            self._look_into(folder, bare)
        arrays = sorted(name for name in folder.others if suffix_of(name) == ARRAY)
        if arrays and self._are_images(folder, arrays):
            folder.images += arrays
            folder.others = [name for name in folder.others if suffix_of(name) != ARRAY]
        folder.images.sort()
        folder.others.sort()
        return list(folder.folders.values())

    def _holds_runs_alone(self, folder: Folder) -> bool:
        """Whether a folder is a run, or holds nothing else; asked of those that lie deeper first."""
        empty = not (folder.images or folder.others or folder.folders)
        return empty and any(f"{run}/".startswith(f"{folder.path}/") for run in self._runs)

    def _take(self, folder: Folder, entry: os.DirEntry[str], bare: list[str]) -> None:
        name = to_text(entry.name)
        if entry.is_dir(follow_symlinks=False):
            if is_litter(name, folder=True):
                self._litter.append(folder.path_of(name))
                return
            status = entry.stat(follow_symlinks=False)
            self._visited.add((status.st_dev, status.st_ino))
            folder.folders[name] = Folder(folder.path_of(name))
        elif is_litter(name):
            self._litter.append(folder.path_of(name))
        elif entry.is_symlink() and _leads_to_folder(entry):
            self._links.append((folder, name))
        elif suffix_of(name) in IMAGE_SUFFIXES:
            folder.images.append(name)
        elif has_no_suffix(name):
            bare.append(name)
        else:
            folder.others.append(name)

    def _are_images(self, folder: Folder, arrays: list[str]) -> bool:
        """Whether each array of NumPy in a folder is one image, by the first and by the names of all."""
        if any(LABEL_ARRAY.fullmatch(name) for name in arrays):
            return False
        return _is_image_array(file_of(self._root, folder.path_of(arrays[0])))

    def _look_into(self, folder: Folder, names: list[str]) -> None:
        """Parts files without a suffix into images and others, by how a sample of them begins."""
        names.sort()
        sample = names[:: max(len(names) // SAMPLE, 1)]
        images = {name for name in sample if _begins_as_image(file_of(self._root, folder.path_of(name)))}
        if len(sample) < len(names) and len(images) == len(sample):
            images = set(names)
        elif images and len(sample) < len(names):
            images |= {name for name in names if _begins_as_image(file_of(self._root, folder.path_of(name)))}
        folder.images += images
        folder.others += [name for name in names if name not in images]
        self._bare += map(folder.path_of, sorted(images))

    def _follow(self, folder: Folder, name: str) -> list[Folder]:
        """Lists the folder that a link leads to, unless that is done already."""
        link = file_of(self._root, folder.path_of(name))
        try:
            target = link.resolve()
            status = target.stat()
        except (OSError, RuntimeError):
            return []
        if file_of(self._root, folder.path).resolve().is_relative_to(target):
            raise DataError(f"{link}: expected no link to a folder that it lies in. Remove the link.")
        if any(target.is_relative_to(system) for system in ENDLESS):
            self._endless.append(folder.path_of(name))
        elif (status.st_dev, status.st_ino) in self._visited:
            self._again.append(folder.path_of(name))
        else:
            self._visited.add((status.st_dev, status.st_ino))
            folder.folders[name] = Folder(folder.path_of(name))
            return self._list_below(folder.folders[name])
        return []


def _unlisted(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: expected a folder that can be listed; {error.strerror}.")


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: a file that cannot be read
        return False


def suffix_of(name: str) -> str:
    """The suffix of a file's name, in lower case, with its point."""
    return name[name.rfind(".") :].lower() if "." in name else ""


def has_no_suffix(name: str) -> bool:
    """Whether what follows the last point of a name is no suffix: nothing, or a number."""
    return not (suffix := suffix_of(name)[1:]) or suffix.isdecimal()


def _begins_as_image(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            start = file.read(16)
    except OSError:
        return False
    return begins_as_image(start)


def _is_image_array(path: Path) -> bool:
    """Whether an array of NumPy is one image: height and width, or height, width and bands."""
    try:
        with open_regular(path) as file:
            return is_image_header(file)
    except OSError:
        return False
