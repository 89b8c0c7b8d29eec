"""Folders in place of files of weights: the one file that is taken, and weights that lie in several files."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from striate.files import fit_to_print, list_names, read_text

INDEX = ".index.json"  # behind the name of weights that lie in several files
IN_FOLDERS = (  # of Hugging Face, Keras and Lightning, the first that is there is taken
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
    "model.weights.h5",
    "last.ckpt",
    "checkpoints/last.ckpt",
)
CHECKPOINTS = ("*.ckpt", "checkpoints/*.ckpt")  # of Lightning, if there is one
MOST_INDEX = 1 << 24  # bytes
MOST_PARTS = 1000
Name = Annotated[str, Meta(max_length=1000)]


class Index(msgspec.Struct):
    """What Hugging Face writes beside weights in several files."""

    weight_map: dict[Name, Name]
    """The name of the file of each tensor."""


def file_in(folder: Path) -> Path | None:
    """The file of weights in a folder; None where there is none that is known, or several that are alike."""
    known = next((folder / name for name in IN_FOLDERS if (folder / name).is_file()), None)
    if known is not None:
        return known
    found = [path for pattern in CHECKPOINTS for path in sorted(folder.glob(pattern))[:2]]
    return found[0] if len(found) == 1 else None


def parts_of(index: Path) -> dict[str, list[str]]:
    """The names of the tensors of each file that an index names, all of which lie beside it.

    Raises:
        ValueError: it is none, or names a file elsewhere.
        OSError: it cannot be read.
    """
    found = msgspec.json.decode(read_text(index, most=MOST_INDEX), type=Index).weight_map
    parts: dict[str, list[str]] = {}
    for tensor, file in found.items():
        parts.setdefault(file, []).append(tensor)
    outside = [file for file in parts if Path(file).name != file or file.endswith(INDEX)]
    if outside:
        raise ValueError(f"expected names of files beside it; got {list_names(outside)}")
    if not 1 <= len(parts) <= MOST_PARTS:
        raise ValueError(f"expected 1 to {MOST_PARTS:,} files; got {fit_to_print(str(len(parts)), 20)}")
    return parts
