import doctest

from striate.data.readers import unpacking


def test_doctests_run() -> None:
    assert doctest.testmod(unpacking) == (0, 1)
