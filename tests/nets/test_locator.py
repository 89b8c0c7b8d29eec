from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from striate.errors import UsageError
from striate.nets import create
from striate.nets.locator import FIRST_BOX


@pytest.mark.parametrize("encoder", ["lenet5_notes", "mobilenet_v1_025", "resnet20_cifar", "vgg11_bn", "inception_v3"])
@pytest.mark.parametrize(("classes", "boxes"), [(3, 1), (3, 3)])
def test_heads_on_any_net_with_features(encoder: str, classes: int, boxes: int) -> None:
    with torch.device("meta"):
        net: Any = create("locator", encoder=encoder, boxes=boxes, num_classes=classes + 4 * boxes).eval()
        size = net.image_size
        assert net(torch.empty(2, 3, size, size)).shape == (2, classes + 4 * boxes)
    staged = [f"{stage}.{name}" for stage in net.stages for name, _ in net.get_submodule(stage).named_parameters()]
    assert sorted([*staged, *(f"locate.{name}" for name, _ in net.locate.named_parameters())]) == sorted(
        name for name, _ in net.named_parameters()
    )


@torch.no_grad()
def test_classes_come_from_the_mean_and_boxes_from_places() -> None:
    net: Any = create("locator", encoder="resnet20_cifar", grid=2, num_classes=7).eval()
    nn.init.normal_(net.locate.boxes.weight)
    images = torch.randn(2, 3, 32, 32)
    last = net.encoder.features(images)[-1]  # (2, 64, 8, 8)
    logits = net(images)
    torch.testing.assert_close(logits[:, :3], net.locate.classes(last.mean(dim=(2, 3))))
    corners = torch.stack([last[:, :, y : y + 4, x : x + 4].mean(dim=(2, 3)) for y in (0, 4) for x in (0, 4)], dim=2)
    torch.testing.assert_close(logits[:, 3:], net.locate.boxes(corners.flatten(1)), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(corners.view(2, 64, 2, 2), adaptive_avg_pool2d(last, 2))


@torch.no_grad()
def test_what_moves_in_the_map_moves_the_box_and_not_the_class() -> None:
    net: Any = create("locator", encoder="resnet20_cifar", num_classes=5).eval()
    nn.init.normal_(net.locate.boxes.weight)
    last = torch.zeros(1, 64, 8, 8)
    last[:, :, 1, 1] = 1
    moved = last.roll((4, 4), dims=(2, 3))
    before, after = net.locate(last), net.locate(moved)
    torch.testing.assert_close(before[:, :1], after[:, :1])
    assert not torch.allclose(before[:, 1:], after[:, 1:])


@torch.inference_mode()
def test_a_new_head_answers_the_middle_of_the_image_whatever_it_shows() -> None:
    net: Any = create("locator", encoder="resnet20_cifar", boxes=2, num_classes=10).eval()
    boxes = net.locate(torch.randn(3, 64, 8, 8))[:, 2:]
    torch.testing.assert_close(boxes, torch.tensor(FIRST_BOX * 2).expand(3, 8))


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        ({"num_classes": 4}, "boxes 1, num_classes 4"),
        ({"num_classes": 8, "boxes": 2}, "boxes 2, num_classes 8"),
    ],
)
def test_no_room_for_a_class_or_a_box(arguments: dict[str, int], got: str) -> None:
    with pytest.raises(UsageError) as caught:
        create("locator", **arguments)
    assert str(caught.value) == f"`locator`: expected num_classes above 4 * boxes; got {got}."
