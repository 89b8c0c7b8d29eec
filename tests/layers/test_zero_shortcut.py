import torch
from torch import nn

from striate.layers.zero_shortcut import ZeroPaddedShortcut


def test_keeps_every_second_pixel_between_maps_of_zeros() -> None:
    x = torch.randn(2, 3, 5, 6)
    y = ZeroPaddedShortcut(3, 8, 2)(x)
    assert y.shape == (2, 8, 3, 3)
    assert torch.equal(y[:, 2:5], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 5:].any()


def test_is_the_identity_where_shapes_agree() -> None:
    x = torch.randn(1, 4, 3, 3)
    assert torch.equal(ZeroPaddedShortcut(4, 4, 1)(x), x)


def test_equals_a_strided_projection_by_rows_of_the_unit_matrix() -> None:
    projection = nn.Conv2d(4, 8, 1, stride=2, bias=False)
    nn.init.zeros_(projection.weight)
    with torch.no_grad():
        projection.weight[2:6, :, 0, 0] = torch.eye(4)
    x = torch.randn(2, 4, 7, 7)
    assert torch.equal(ZeroPaddedShortcut(4, 8, 2)(x), projection(x))


def test_has_no_parameters_and_prints_what_it_does() -> None:
    shortcut = ZeroPaddedShortcut(16, 32, 2)
    assert list(shortcut.parameters()) == []
    assert repr(shortcut) == "ZeroPaddedShortcut(before=8, after=8, stride=2)"
