"""Every failure that striate reports on purpose.

    StriateError             exit code 1: the work could not be done
    ├── UsageError           exit code 2: a flag, recipe key, name or argument that cannot be meant
    │   └── SizeError        a filter, stride, padding or image size that does not fit
    ├── DataError            exit code 3: the data did not pass its checks
    ├── ModelFileError       a model file that is not whole, not known or not ours
    ├── WeightsError         published weights that are not here, not as published, or not those of the net
    └── TrainingError        training stopped: the loss is no longer a number, or the run cannot go on

Each message is one sentence or two: what was expected, what was found, what to try.
"""

import difflib
import itertools
from collections.abc import Iterable

LONGEST, MOST = 100, 2000  # letters of a name, and names, that are compared with others
ROOM = 300  # letters of a list of names


class StriateError(Exception):
    """The root of the tree; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(StriateError, ValueError):
    """A flag, recipe key, name or argument that cannot be meant."""

    exit_code = 2


class SizeError(UsageError):
    """A filter, stride, padding or image size that does not fit."""


class DataError(StriateError):
    """The data did not pass its checks."""

    exit_code = 3


class ModelFileError(StriateError):
    """A model file that is not whole, not known or not ours."""


class WeightsError(StriateError):
    """Published weights that are not here, not as published, or not those of the net."""


class TrainingError(StriateError):
    """Training stopped: the loss is no longer a number, or the run cannot go on."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what is closest to `name`, for the end of an error's sentence.

    >>> nearest("resnet81", ["lenet5", "resnet18"])
    'Did you mean `resnet18`?'
    >>> nearest("x", ["lenet5", "resnet18"])
    'Try one of: lenet5, resnet18.'
    """
    choices = sorted(known)
    close = difflib.get_close_matches(name[:LONGEST], choices[:MOST], n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    ends = itertools.accumulate(len(choice) + 2 for choice in choices)
    shown = sum(end <= ROOM for end in itertools.islice(ends, ROOM))
    more = f" and {len(choices) - shown:,} more" if shown < len(choices) else ""
    return f"Try one of: {', '.join(choices[:shown])}{more}."
