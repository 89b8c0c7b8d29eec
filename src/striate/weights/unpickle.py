"""What `torch.save` wrote, as tensors and plain values: whatever only code can make is left unmade.

Trainers keep their arguments, configurations and scores beside the weights, as objects of other programs. PyTorch's
reader of tensors alone (`weights_only=True`) refuses the whole file then. Here it is given a stand-in for each such
class, which takes what it is given and does nothing, so that no code of the file runs and none is imported. What asks
Python itself to run something is refused, though a stand-in would do no harm: nobody means well by it.
"""

import pickletools
import sys
import warnings
import zipfile
from collections import OrderedDict
from io import BytesIO
from pathlib import PurePosixPath
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch

from striate.files import list_names
from striate.weights.protocol import in_protocol_2

MOST_PICKLE = 1 << 22  # bytes of what is unpickled, beside the tensors' values: a second's work for PyTorch's reader
ZIP = b"PK\x03\x04"  # at the beginning of what torch.save writes
LEGACY_PICKLES = 4  # before PyTorch 1.6: a magic number, a version, the system's sizes, and then the content
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # by pickles that Python 2 can read too
VALUES = (  # of Python's own classes and functions those that hold, or make, values
    *("argparse.Namespace", "types.SimpleNamespace", "uuid.UUID", "decimal.Decimal", "fractions.Fraction"),
    "_codecs.encode",
)
VALUE_MODULES = ("collections", "datetime", "pathlib", "pathlib._local")
VALUE_TYPES = (
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set"),
    *("slice", "str", "tuple"),
)


class Unmade:
    """What stands for an object that only code can make."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def load_plain(file: BinaryIO) -> tuple[Any, dict[int, str]]:
    """The content of a file of `torch.save`, tensors on the CPU, with stand-ins for objects that are no values.

    Returns:
        The content, and the class of each object that was not made, by the `id` of its stand-in.

    Raises:
        UnpicklingError: it asks Python to run something, or is no such file.
        Exception: whatever else PyTorch's reader raises for bytes that are not torch.save's.
    """
    file = in_protocol_2(file)
    start = file.tell()
    try:
        return _load(file), {}
    except UnpicklingError as error:
        file.seek(start)
        try:
            asked = _globals(file)
        except (ValueError, EOFError, KeyError, UnicodeDecodeError, zipfile.BadZipFile):
            raise error from None
        refused = sorted(name for name in asked if not _is_of_values(name))
        if refused:
            raise UnpicklingError(f"it asks Python to run {list_names(refused)}") from error
    try:  # most objects are filled as dicts are, which PyTorch's reader does to plain dicts alone
        return _load_with(file, start, asked, as_dicts=True)
    except (UnpicklingError, TypeError, ValueError, AttributeError):
        return _load_with(file, start, asked, as_dicts=False)


def _load(file: BinaryIO) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensors that readers refuse
        return torch.load(file, map_location="cpu", weights_only=True)


def _load_with(file: BinaryIO, start: int, names: set[str], as_dicts: bool) -> tuple[Any, dict[int, str]]:
    """The content with a stand-in for each of these classes that PyTorch's reader does not know itself."""
    file.seek(start)
    made: list[tuple[object, str]] = []
    stand_ins: list[Any] = [(_stand_in(name, made, as_dicts), name) for name in names]
    with torch.serialization.safe_globals(stand_ins):
        content = _load(file)
    return content, {id(item): name for item, name in made}


def _stand_in(name: str, made: list[tuple[object, str]], as_dicts: bool) -> type:
    """A class whose objects do nothing, or are dicts; each that is made is listed with the name of its class."""

    def new(cls: type, *_: object) -> object:
        item: object = object.__new__(cls)
        if name == "collections.deque":
            item = []
        elif as_dicts and not name.startswith("numpy."):
            item = OrderedDict()
        made.append((item, name))
        return item

    return type("StandIn", (Unmade,), {"__new__": new})


def _is_of_values(name: str) -> bool:
    """Whether an object of this class holds values, as far as can be said without its code: all but Python's own do."""
    module, _, leaf = name.rpartition(".")
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return True
    return name in VALUES or module in VALUE_MODULES or (module == "builtins" and leaf in VALUE_TYPES)


def _globals(file: BinaryIO) -> set[str]:
    """The names that the pickle in a file of `torch.save` asks for, without running it."""
    if file.read(len(ZIP)) == ZIP:
        with zipfile.ZipFile(file) as archive:
            name = next(name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl")
            pickles, count = BytesIO(archive.read(name)), 1
    else:
        file.seek(0)
        pickles, count = BytesIO(file.read(MOST_PICKLE)), LEGACY_PICKLES
    names: set[str] = set()
    for _ in range(count):
        for operation, argument, _ in pickletools.genops(pickles):
            if operation.name == "GLOBAL":
                module, _, name = str(argument).rpartition(" ")
                names.add(f"{RENAMED.get(module, module)}.{name}")
    return names
