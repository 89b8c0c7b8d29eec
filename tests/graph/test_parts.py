"""A net in two parts gives what it gives whole."""

from typing import Any

import pytest
import torch
from net_table import Net
from torch import Tensor, nn

from striate.errors import UsageError
from striate.graph.parts import cut, fingerprint, remainder, vectors
from striate.graph.symbolic import ForwardGraph
from striate.nets import create


def stages_of(net: Any) -> tuple[str, ...]:
    stages: tuple[str, ...] = net.stages
    return stages


@torch.inference_mode()
def test_the_parts_make_the_whole(row: Net, net: Any, images: Tensor) -> None:
    expected = net(images)
    stages = stages_of(net)
    for count in {0, 1, len(stages) // 2, len(stages) - 1, len(stages)}:
        parts = cut(net, stages[:count], row.input)
        values = parts.prefix(images)
        assert tuple(tuple(value.shape[1:]) for value in values) == parts.shapes
        assert torch.equal(parts.rest(*values), expected), stages[:count]


def test_each_parameter_lies_in_the_part_that_it_should(row: Net, net: Any) -> None:
    stages = stages_of(net)
    frozen = stages[: len(stages) // 2]
    parts = cut(net, frozen, row.input)
    inside = {name for name, _ in parts.prefix.layers.named_parameters()}
    own = {name for name, _ in net.named_parameters() if name.startswith(tuple(f"{stage}." for stage in frozen))}
    assert inside == own
    trained = {name for name, _ in parts.rest.named_parameters()}
    assert trained.isdisjoint(inside)
    assert not any(parameter.requires_grad for parameter in parts.prefix.parameters())


def test_the_rest_is_the_nets_own_and_its_dropout_is_awake_in_training() -> None:
    net = create("alexnet_paper").eval()
    parts = cut(net, stages_of(net), (3, 227, 227))
    assert parts.shapes == ((4096,),)
    assert parts.rest.get_parameter("fc8.weight") is net.get_parameter("fc8.weight")
    values = parts.prefix(torch.randn(1, 3, 227, 227))
    parts.rest.train()
    assert not torch.equal(parts.rest(*values), parts.rest(*values))
    parts.rest.eval()
    assert torch.equal(parts.rest(*values), parts.rest(*values))


@pytest.mark.parametrize(
    ("name", "arguments", "twin"),
    [
        ("inception_v3", {}, "inception_v3_tf"),
        ("mobilenet_v2", {"width": 0.35}, "mobilenet_v2_tf_035"),
        ("resnet50", {}, "resnet50_v1"),
    ],
)
def test_nets_with_the_same_tensors_that_compute_something_else_have_other_fingerprints(
    name: str, arguments: dict[str, Any], twin: str
) -> None:
    net, other = create(name, **arguments), create(twin)
    other.load_state_dict(net.state_dict())
    of_net, again, of_other = (
        fingerprint(vectors(each, stages_of(each)[-1:], (3, 128, 128))) for each in (net, net, other)
    )
    assert of_net == again != of_other


@pytest.mark.parametrize("name", ["googlenet", "unet", "mobilenet_v2"])
def test_the_rest_alone_is_that_of_a_cut(name: str) -> None:
    with torch.device("meta"):
        net = create(name)
    whole = ForwardGraph(net, (3, 64, 64))
    for count in range(len(stages_of(net)) + 1):
        parts = cut(net, stages_of(net)[:count], (3, 64, 64))
        rest = remainder(whole, stages_of(net)[:count])
        placeholders = {node.name for node in parts.rest.graph.nodes if node.op == "placeholder"}
        assert rest.operations == {node.name for node in parts.rest.graph.nodes} - placeholders
        assert rest.crossing.keys() == placeholders
        assert tuple(tuple(value.shape[1:]) for value in rest.crossing.values()) == parts.shapes
        assert rest.learning <= rest.operations


def test_another_number_of_images_than_was_traced() -> None:
    net = create("fcn8s", num_classes=3).to("meta").eval()
    parts = cut(net, stages_of(net)[:3], (3, 64, 64))
    values = parts.prefix(torch.empty(5, 3, 64, 64, device="meta"))
    assert parts.rest(*values).shape == (5, 3, 64, 64)


@torch.inference_mode()
def test_vectors_of_depths_are_what_crosses_there_averaged() -> None:
    net = create("mobilenet_v1_025").eval()
    images = torch.randn(2, 3, 64, 64)
    depths = ("blocks.1", "blocks.4")
    found = vectors(net, depths, (3, 64, 64))(images)
    maps: list[Tensor] = net.features(images)  # type: ignore[operator]
    for vector, map_ in zip(found, (maps[1], maps[4]), strict=True):
        torch.testing.assert_close(vector, map_.mean(dim=(2, 3)))
    torch.testing.assert_close(net.get_submodule("classifier")(found[1]), net(images))


def test_a_depth_that_there_is_not() -> None:
    with pytest.raises(UsageError) as caught:
        vectors(create("lenet5"), ["conv9"], (1, 32, 32))
    assert str(caught.value) == "`depths`: expected stages of the net (conv1, conv2, fc1, fc2); got conv9."


class Chooses(nn.Module):
    """Goes by the values of its images, which no graph can show."""

    stages = ("fc",)

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        x: Tensor = self.fc(images.mean(dim=(2, 3)))
        return x if images.sum() > 0 else -x


def test_a_net_that_cannot_be_followed() -> None:
    with pytest.raises(UsageError, match=r"^`Chooses`: expected a network whose forward pass can be followed; .* Try "):
        cut(Chooses(), ("fc",), (3, 8, 8))
