from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from striate.errors import SizeError
from striate.explain import occlusion_maps
from striate.explain.capture import pixels
from striate.model import Model
from striate.tasks.locate import Locate

MakeModel = Callable[..., Model]


@pytest.mark.parametrize(("patch", "stride"), [(8, 8), (8, 4), (7, 5), (32, 1)])
def test_agrees_with_captum(make_model: MakeModel, images: Tensor, patch: int, stride: int) -> None:
    attr: Any = pytest.importorskip("captum.attr", reason="captum is not installed")
    model = make_model()
    ours = occlusion_maps(model, images[:2], [1, 2], patch=patch, stride=stride)
    inputs = pixels(images[:2], model.preprocessing, model.machine)
    with torch.inference_mode():
        theirs = attr.Occlusion(model.net).attribute(
            inputs, (3, patch, patch), (3, stride, stride), baselines=0, target=torch.tensor([1, 2])
        )
    assert np.allclose(ours.maps, theirs[:, 0].numpy(), atol=1e-4)
    assert ours.method == "occlusion"


def test_a_net_that_reads_one_corner_marks_it(make_model: MakeModel, images: Tensor) -> None:
    class Corner(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            bright = x[:, :, :8, 24:].mean(dim=(1, 2, 3))
            return torch.stack([bright, -bright, 0 * bright], dim=1)

    model = make_model()
    model.net = Corner()
    bright = images.clone()
    bright[:, :8, 24:] = 255
    maps = occlusion_maps(model, bright).maps
    assert np.all(maps[:, :8, 24:] > 0)
    assert np.all(maps[:, 16:, :16] == 0)


def test_defaults_fit_any_size_and_other_numbers_are_refused(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    assert occlusion_maps(model, images[:1], batch_size=3).maps.shape == (1, 32, 32)
    with pytest.raises(SizeError) as caught:
        occlusion_maps(model, images, patch=33)
    assert str(caught.value) == "`patch` and `stride`: expected 1 <= stride <= patch <= 32; got 33 and 16."
    with pytest.raises(SizeError):
        occlusion_maps(model, images, patch=8, stride=9)


def test_of_a_single_class_the_overlap_with_the_box_of_the_whole_image_falls(
    make_model: MakeModel, images: Tensor
) -> None:
    class Corner(torch.nn.Module):
        """The box is as wide as the upper right corner is bright."""

        def forward(self, x: Tensor) -> Tensor:
            bright = x[:, :, :8, 24:].mean(dim=(1, 2, 3))
            return torch.stack([bright, 0 * bright, 0 * bright, bright / 2, 0 * bright + 1], dim=1)

    model = replace(make_model(), task=Locate(("a",)), net=Corner())
    bright = images.clone()
    bright[:, :8, 24:] = 255
    found = occlusion_maps(model, bright, patch=8, stride=8)
    assert np.allclose(found.maps[:, :8, 24:], 1)  # hidden, it is grey, and the box has no width
    assert not found.maps[:, 8:].any()
    assert [text.get_text() for axis in found.figure().axes for text in [axis.title]][:2] == ["a", "occlusion: its box"]
