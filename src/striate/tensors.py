"""Tensors that come from files: what of them is taken, and what is refused before it costs memory or an answer.

A file can describe tensors that no network holds, or that are larger than itself. Both are told here as the end of a
sentence, "" where all is well, and each room raises it as its own error.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors_file
from torch import Tensor, nn

from striate.files import fit_to_print, list_names, open_regular

MOST_BYTES = 8 * 10**9  # of a file
MOST_HEADER = 1 << 24  # bytes of a safetensors file's header: names, shapes, and what a model file says of itself
MOST_TENSORS = 20_000
MOST_DIMENSIONS = 8
SHOWN_PROBLEMS = 2  # with tensors, in a message
DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        OSError: the file is not there, or no regular file.
        ValueError: it is no safetensors file that is whole, or has a larger header, more tensors or other tensors than
            a network.
    """
    with open_regular(path) as file:
        header = int.from_bytes(file.read(8), "little")
        size = file.seek(0, 2)
    if size > MOST_BYTES:
        raise ValueError(f"expected at most {MOST_BYTES:,} bytes; got {size:,}")
    if MOST_HEADER < header <= size:
        raise ValueError(f"expected a header of at most {MOST_HEADER:,} bytes; got {header:,}")
    try:
        with _in_utf_8(path) as name, safe_open(name, "pt") as opened:
            names = list(opened.keys())
            if len(names) > MOST_TENSORS:
                raise ValueError(f"expected at most {MOST_TENSORS:,} tensors; got {len(names):,}")
            tensors = {name: opened.get_tensor(name) for name in names}
            metadata = opened.metadata() or {}
    except (SafetensorError, UnicodeError, RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(fit_to_print(str(error).rstrip("."), 200)) from error
    problem = unsound(tensors, size)
    if problem:
        raise ValueError(problem)
    return tensors, metadata


@contextmanager
def _in_utf_8(path: Path) -> Iterator[Path]:
    """The path or, where it is not UTF-8, which safetensors needs, that of a link to it."""
    if os.fsencode(path) == str(path).encode(errors="replace"):
        yield path
        return
    with TemporaryDirectory() as folder:
        link = Path(folder) / "link.safetensors"
        link.symlink_to(path.absolute())
        yield link


def save_file(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file.

    Raises:
        OSError: it cannot be written.
    """
    try:
        safetensors_file.save_file(dict(tensors), path, dict(metadata))
    except SafetensorError as error:  # which has the number of the system's error in its text alone
        number = re.search(r"os error (\d+)", str(error))
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error


def metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself, without its tensors; nothing where it is no such file.

    Raises:
        OSError: the file is not there, or no regular file.
    """
    with open_regular(path) as file:
        header = int.from_bytes(file.read(8), "little")
        if file.read(1) != b"{" or header > MOST_HEADER:
            return {}
    try:
        with _in_utf_8(path) as name, safe_open(name, "pt") as opened:
            return opened.metadata() or {}
    except (SafetensorError, UnicodeError):
        return {}


def unsound(tensors: Mapping[str, Tensor], size: int) -> str:
    """What is wrong with tensors of a file of `size` bytes, each of which a network could hold; "" where nothing is.

    Sparse, quantised, nested and complex tensors, those of the meta device, and those that are larger than the file
    that describes them are refused; their values are not touched.
    """
    if len(tensors) > MOST_TENSORS:
        return f"expected at most {MOST_TENSORS:,} tensors; got {len(tensors):,}"
    total = 0
    for name, tensor in tensors.items():
        kind = _kind(tensor)
        if kind:
            return f"expected plain tensors; got {kind} tensor, {fit_to_print(name, 80)}"
        bytes_ = tensor.numel() * tensor.element_size()
        total += bytes_
        if total > 2 * size:  # twice: two names may share a tensor, and an expanded one is larger than it was saved
            return (
                f"expected tensors of no more than the {size:,} bytes of their file; got "
                f"{fit_to_print(name, 80)} of {bytes_:,} bytes"
            )
    return ""


def _kind(tensor: Tensor) -> str:
    """What makes a tensor another than those of a network, with its article; "" where nothing does."""
    checks = (
        (type(tensor) not in (Tensor, nn.Parameter), fit_to_print(type(tensor).__name__, 40)),
        (tensor.is_nested, "nested"),
        (tensor.layout is not torch.strided, "sparse"),
        (tensor.is_quantized, "quantised"),
        (tensor.device.type != "cpu", tensor.device.type),
        (tensor.is_complex(), "complex"),
        (tensor.dtype not in DTYPES, str(tensor.dtype).removeprefix("torch.")),
        (tensor.ndim > MOST_DIMENSIONS, f"{tensor.ndim}-dimensional"),
    )
    return next((f"a {kind}" for bad, kind in checks if bad), "")


def not_finite(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Which of these tensors hold NaN or infinity; "" where none does."""
    names = [name for name, tensor in tensors if tensor.is_floating_point() and not _finite(tensor)]
    return f"expected finite values; got NaN or infinity in {list_names(names)}" if names else ""


def _finite(tensor: Tensor) -> bool:
    """One pass without a copy: NaN is passed on by the least and the largest."""
    return tensor.numel() == 0 or all(bool(torch.isfinite(value)) for value in torch.aminmax(tensor))


def renamed(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an older file under the names that the net's modules have now."""
    former: dict[str, str] = getattr(module, "former_names", {})
    found = dict(tensors)
    for old, new in former.items():
        found = {new + name.removeprefix(old) if name.startswith(old) else name: t for name, t in found.items()}
    return found


def differences(module: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """In what tensors differ from those of a net, by name, shape and type; "" where in nothing."""
    expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in module.state_dict().items()}
    got = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    problems = [f"{name} is missing" for name in expected.keys() - got.keys()]
    problems += [f"{name} is foreign" for name in got.keys() - expected.keys()]
    problems += [
        f"{name} is {_form(*got[name])}, not {_form(*expected[name])}"
        for name in expected.keys() & got.keys()
        if expected[name] != got[name]
    ]
    first = [fit_to_print(problem, 150) for problem in sorted(problems)[:SHOWN_PROBLEMS]]
    rest = f"; and {len(problems) - len(first):,} more" if len(problems) > len(first) else ""
    return f"{'; '.join(first)}{rest}"


def _form(shape: tuple[int, ...], dtype: torch.dtype) -> str:
    return f"{shape} of {str(dtype).removeprefix('torch.')}"
