from functools import partial

import pytest
import torch
from torch import nn

import striate.nets
from striate.errors import UsageError
from striate.nets import CATALOGUE, convnet39, create, lenet, resnet


class Tiny(nn.Module):
    """A net that has one argument bound by position, one by name, and one of its own."""

    def __init__(
        self, depth: int, *, width: int, slope: float = 0.0, num_classes: int = 2, in_channels: int = 3
    ) -> None:
        super().__init__()
        self.numbers = (depth, width, slope, num_classes, in_channels)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "tiny", partial(Tiny, 4, width=8))


def test_public_names() -> None:
    assert striate.nets.__all__ == [
        "CATALOGUE",
        "arguments_of",
        "create",
        "default_of",
        "encoder_name",
        "gives_pixels",
        "heads_of",
        "replace_head",
        "takes_vectors",
        "variant_named",
    ]


def test_no_file_takes_the_name_of_another() -> None:
    files = [file for file in vars(striate.nets).values() if hasattr(file, "VARIANTS")]
    assert {convnet39, lenet, resnet} <= set(files)
    names = [name for file in files for name in file.VARIANTS]
    assert len(names) == len(set(names))
    assert set(names) <= CATALOGUE.keys()


def test_the_same_seed_gives_the_same_net() -> None:
    torch.manual_seed(3)
    first = create("lenet5")
    torch.manual_seed(3)
    second = create("lenet5")
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert first.training


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet81", "`resnet81`: expected the name of a net. Did you mean `resnet18`?"),
        ("lenet", "`lenet`: expected the name of a net. Did you mean `lenet5`?"),
    ],
)
def test_an_unknown_name_names_the_nearest(name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        create(name)
    assert str(caught.value) == sentence


def test_a_name_near_to_none_lists_them_all() -> None:
    with pytest.raises(UsageError, match=r"Try one of: .*convnet39.*lenet5.* more\.$"):
        create("?")


@pytest.mark.parametrize(
    ("argument", "hint"),
    [("num_class", "Did you mean `num_classes`?"), ("pretrained", "Try one of: in_channels, num_classes, shortcut.")],
)
def test_an_unknown_argument_is_refused(argument: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        create("resnet18", **{argument: 2})
    assert str(caught.value) == f"`resnet18`: expected an argument that it takes; got `{argument}`. {hint}"


@pytest.mark.usefixtures("tiny")
def test_arguments_reach_the_net() -> None:
    assert create("tiny", num_classes=5, in_channels=1, slope=0.5).numbers == (4, 8, 0.5, 5, 1)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("argument", ["depth", "width"])
def test_what_a_variant_binds_is_not_passed_again(argument: str) -> None:
    with pytest.raises(UsageError, match=f"got `{argument}`"):
        create("tiny", **{argument: 16})


@pytest.mark.parametrize("argument", ["num_classes", "in_channels"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None])
def test_counts_are_whole_and_positive(argument: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        create("lenet5", **{argument: value})
    assert str(caught.value) == f"`{argument}`: expected a whole number from 1 to 1,000,000; got {value}."


def test_an_error_inside_a_net_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*, num_classes: int = 2, in_channels: int = 3) -> nn.Module:
        raise TypeError(f"inside: {num_classes} {in_channels}")

    monkeypatch.setitem(CATALOGUE, "broken", broken)
    with pytest.raises(TypeError, match="inside: 5 3"):
        create("broken", num_classes=5)
