import doctest
import errno
import os
from pathlib import Path

import pytest

from striate.data.readers import unpacking
from striate.data.readers.unpacking import require_room
from striate.errors import DataError, StriateError


def test_doctests_run() -> None:
    assert doctest.testmod(unpacking) == (0, 1)


def test_a_full_disk_is_no_fault_of_the_data() -> None:
    with pytest.raises(StriateError, match=r"^a.zip: expected room .*; No space left on device. Make room") as caught:
        require_room(Path("a.zip"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert not isinstance(caught.value, DataError)
    require_room(Path("a.zip"), OSError(errno.EIO, os.strerror(errno.EIO)))
    require_room(Path("a.zip"), ValueError("no archive"))
