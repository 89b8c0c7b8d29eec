"""The readings of a tree as files that hold many images: Parquet, idx, arrays of NumPy."""

import re

from striate.data.layouts.layout import Layout
from striate.data.layouts.names import parts_of, split_of_path
from striate.data.layouts.tree import Tree
from striate.files import list_names

IDX = re.compile(r"(?P<prefix>.+?)[-._]images[-._]idx[34][-._]ubyte(\.gz)?", re.IGNORECASE)
IMAGE_ARRAY = re.compile(r"(?i)(.*[-_.])?(x|images?|imgs?|data|features)([-_.].*)?")


def find(tree: Tree) -> list[Layout]:
    """A reading for each kind of file that holds many images."""
    return [*_parquet(tree), *_idx(tree), *_arrays(tree)]


def _parquet(tree: Tree) -> list[Layout]:
    files = tuple(tree.others(".parquet"))
    if not files:
        return []
    return [Layout("parquet", f"images in Parquet{_splits(files)} ({list_names(files, 3)})", tree, files)]


def _idx(tree: Tree) -> list[Layout]:
    """Pairs of idx files by their prefix; of the same in two places, the outer one, and unpacked before packed."""
    found: dict[str, str] = {}
    files = [path for path in tree.others("ubyte", "ubyte.gz") if IDX.fullmatch(path.rpartition("/")[2])]
    for path in sorted(files, key=lambda path: (path.count("/"), path.endswith(".gz"), path)):
        match = IDX.fullmatch(path.rpartition("/")[2])
        if match:
            found.setdefault(match["prefix"].lower(), path)
    sets: dict[tuple[str, ...], list[str]] = {}
    for prefix, path in found.items():
        sets.setdefault(parts_of(prefix.replace("t10k", "test")).rest, []).append(path)
    return [
        Layout("idx", f"idx files ({list_names(sorted(paths), 3)})", tree, tuple(sorted(paths)))
        for paths in sets.values()
    ]


def _arrays(tree: Tree) -> list[Layout]:
    npz = tuple(tree.others(".npz"))
    layouts = [Layout("arrays", f"arrays of NumPy in {file}", tree, (file,)) for file in npz]
    npy = tuple(path for path in tree.others(".npy"))
    stems = [path.rpartition("/")[2].rpartition(".")[0] for path in npy]
    if npy and any(IMAGE_ARRAY.fullmatch(stem) for stem in stems) and len(npy) <= 12:
        layouts.append(Layout("arrays", f"arrays of NumPy in {list_names(npy, 4)}", tree, npy))
    return layouts


def _splits(files: tuple[str, ...]) -> str:
    splits = {split for file in files if (split := parquet_split(file)) is not None}
    order = [split for split in ("train", "val", "test") if split in splits]
    return f" in split{'s' if len(order) > 1 else ''} {', '.join(order)}" if order else ""


def parquet_split(file: str) -> str | None:
    """The split that the name of a Parquet file begins with, else that of its folder."""
    folder, _, name = file.rpartition("/")
    first = parts_of(re.split(r"[-_.]", name)[0]).split
    return first or (split_of_path(folder) if folder else None)
