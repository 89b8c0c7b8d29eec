"""Tensors of files: safetensors, and PyTorch's pickles, of which tensors and plain values alone are read."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from pickle import UnpicklingError
from typing import BinaryIO

from torch import Tensor

from striate import tensors as soundness
from striate.errors import WeightsError
from striate.files import fit_to_print, list_names, open_regular
from striate.weights.checkpoint import Checkpoint, unwrapped, without_prefixes
from striate.weights.folder import INDEX, file_in, parts_of
from striate.weights.keras_file import HDF5, IN_ARCHIVE, hdf5_library, read_keras
from striate.weights.unpickle import MOST_PICKLE, ZIP, load_plain

FIRST = 64  # bytes that show what a file is
KINDS = {  # what people have in place of weights, by its first bytes in lower case
    b"version https://git-lfs": "a pointer of git-lfs; `git lfs pull` brings the file",
    b"<!doctype": "a page of HTML, as servers give instead of a file",
    b"<html": "a page of HTML, as servers give instead of a file",
    b"<?xml": "a page of XML, as servers give instead of a file",
    b"{": "text in JSON",
    b"\x1f\x8b": "a file that gzip has compressed",
}
PICKLE = b"\x80"  # of what it wrote before PyTorch 1.6
FOREIGN = (  # what the unpickler raises for bytes that are not torch.save's
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    ImportError,
    MemoryError,
    UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file of weights, which is safetensors, PyTorch's or Keras', whatever its name.

    Raises:
        WeightsError: as the reader of its kind.
    """
    return read_checkpoint(path).tensors


def read_checkpoint(path: Path) -> Checkpoint:
    """The tensors of a file of weights, and what was chosen or left out.

    Raises:
        WeightsError: as `read_tensors`.
    """
    try:
        with open_regular(path) as file:
            first = file.read(FIRST)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.") from error
    except OSError as error:
        raise WeightsError(f"{path}: expected a file of weights; {error.strerror}.{within(path)}") from error
    if first.startswith(HDF5) or (first.startswith(ZIP) and _is_keras(path)):
        return read_keras(path)
    if path.name.endswith(INDEX):
        return _read_parts(path)
    if first[8:9] == b"{":
        return Checkpoint(without_prefixes(read_safetensors(path)))
    if first.startswith((ZIP, PICKLE)):
        return _read_pickle(path)
    raise WeightsError(f"{path}: expected a file of weights, of safetensors, torch.save or Keras; got {_kind(first)}.")


def _read_parts(index: Path) -> Checkpoint:
    """The tensors of all files that an index names, which lie beside it.

    Raises:
        WeightsError: it is no index, a file is not there, or lacks a tensor.
    """
    try:
        parts = parts_of(index)
    except (OSError, ValueError) as error:
        reason = fit_to_print(str(error).rstrip("."), 200)
        raise WeightsError(f"{index}: expected an index of weights in several files; {reason}.") from error
    tensors: dict[str, Tensor] = {}
    for file, names in parts.items():
        part = index.with_name(file)
        held = read_safetensors(part) if part.suffix == ".safetensors" else read_pickle(part)
        absent = [name for name in names if name not in held]
        if absent:
            raise WeightsError(f"{part}: expected what {index.name} says; missing {list_names(absent)}.")
        tensors |= {name: held[name] for name in names}
    return Checkpoint(without_prefixes(tensors))


def _kind(first: bytes) -> str:
    """What a file is that holds no weights, by its first bytes."""
    if not first:
        return "an empty file"
    text = first.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((what for start, what in KINDS.items() if text.startswith(start)), "another kind of file")


def within(path: Path) -> str:
    """The sentence of which file to try in a folder that was given for a file; "" where none is known."""
    inside = file_in(path)
    return f" Try {inside}." if inside else ""


def _is_keras(path: Path) -> bool:
    """Whether an archive is a .keras file."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            return IN_ARCHIVE in archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def require_readable(file: str) -> None:
    """Does nothing where what reads a file of this name is installed.

    Raises:
        WeightsError: it is not.
    """
    if file.endswith((".h5", ".hdf5", ".keras")):
        hdf5_library(Path(file))


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        WeightsError: the file is not there, no safetensors file that is whole, or its tensors are no network's.
    """
    try:
        return soundness.read(path)[0]
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise WeightsError(f"{path}: expected a safetensors file that is whole; {reason}.") from error


def read_pickle(path: Path) -> dict[str, Tensor]:
    """All tensors of a file that `torch.save` wrote: a dict of them, or a checkpoint that holds one.

    Only tensors and plain values are unpickled (`weights_only=True`): no code of the file runs.

    Raises:
        WeightsError: the file is not there, holds objects of other kinds, no dict of tensors, tensors that no network
            has, or tensors that are larger than the file.
    """
    return _read_pickle(path).tensors


def _read_pickle(path: Path) -> Checkpoint:
    """The tensors of a file that `torch.save` wrote, and what was left out of it.

    Raises:
        WeightsError: the file is not there, holds objects of other kinds, no dict of tensors, tensors that no network
            has, or tensors that are larger than the file.
    """
    try:
        with open_regular(path) as file:
            size = _size(file)
            content, unmade = load_plain(file)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.") from error
    except FOREIGN as error:
        raise WeightsError(f"{path}: expected a file of torch.save with tensors only; {_reason(error)}.") from error
    found = unwrapped(content)
    if found is None:
        raise WeightsError(
            f"{path}: expected a dict of tensors, or a checkpoint that holds one; got {_what(content, unmade)}."
        )
    problem = soundness.unsound(found.tensors, size)
    if problem:
        raise WeightsError(f"{path}: {problem}.")
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in found.tensors.items()}
    return Checkpoint(plain, found.said)


def _size(file: BinaryIO) -> int:
    """Bytes of a file, of which what will be unpickled or unpacked is no more than can be read in a second.

    Raises:
        ValueError: it is.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if size > soundness.MOST_BYTES:
        raise ValueError(f"expected at most {soundness.MOST_BYTES:,} bytes; got {size:,}")
    if file.read(len(ZIP)) == ZIP:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
        names = {PurePosixPath(member.filename).name for member in members}
        if "constants.pkl" in names:
            raise ValueError("it holds a program of TorchScript; save the state_dict() of its network instead")
        if "data.pkl" not in names:
            raise ValueError("the archive was written by another program")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("expected an archive without compression, as torch.save writes it; got a compressed one")
        if sum(member.file_size for member in members) > size:
            raise ValueError(f"expected members of no more than the {size:,} bytes of the file; got larger ones")
        pickled = sum(member.file_size for member in members if member.filename.endswith(".pkl"))
        if pickled > MOST_PICKLE:
            raise ValueError(f"expected at most {MOST_PICKLE:,} bytes beside the tensors' values; got {pickled:,}")
    file.seek(0)
    return size


def _reason(error: BaseException) -> str:
    """Why the unpickler gave up, in a line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, zipfile.BadZipFile):
        return "the file is not whole: its end, where an archive lists its members, is missing"
    told = str(error).rpartition("WeightsUnpickler error:")[2].strip().partition("\n")[0]  # of a page of advice
    if "Unsupported operand" in told:
        return "it was pickled by another protocol than torch.save's own, 2; save it without `pickle_protocol`"
    if "persistent" in told:
        return "it holds a whole network, which only its code can make: save its state_dict() instead"
    return fit_to_print(told.partition(". Please use")[0].rstrip(".") or type(error).__name__, 200)


def _what(content: object, unmade: Mapping[int, str]) -> str:
    """What a file holds instead of tensors."""
    if id(content) in unmade:
        made_by = fit_to_print(unmade[id(content)], 80)
        return f"an object of {made_by}, which only its code can make: save its state_dict() where you trust it"
    if not isinstance(content, Mapping):
        kind = fit_to_print(type(content).__name__, 40)
        return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
    keys = [
        fit_to_print(str(key), 40) + (f" (of {fit_to_print(unmade[id(value)], 80)})" if id(value) in unmade else "")
        for (key, value), _ in zip(content.items(), range(8), strict=False)
    ]
    return f"a dict of {', '.join(keys) or 'nothing'}"
