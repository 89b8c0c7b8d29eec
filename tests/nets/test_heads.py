import pytest
import torch
from torch import nn

from striate.errors import UsageError
from striate.layers.cosine import Cosine
from striate.nets import create
from striate.nets.heads import Perceptron, heads_of, make_head, replace_head, takes_vectors


def test_kinds_of_heads_on_vectors() -> None:
    assert isinstance(make_head("linear", 4, 3), nn.Linear)
    assert [type(layer) for layer in make_head("mlp", 4, 3, hidden=5).children()] == [nn.Linear, nn.ReLU, nn.Linear]
    assert isinstance(make_head("cosine", 4, 3), Cosine)
    with pytest.raises(UsageError) as caught:
        make_head("liner", 4, 3)
    assert str(caught.value) == "`head`: expected linear, mlp or cosine; got 'liner'. Did you mean `linear`?"


@pytest.mark.parametrize("kind", ["linear", "mlp", "cosine"])
def test_one_kind_after_another(kind: str) -> None:
    net = create("lenet5")
    for earlier in ("mlp", "cosine", "linear"):
        replace_head(net, 4, earlier)
        replace_head(net, 3, kind)
        assert net(torch.zeros(2, 1, 32, 32)).shape == (2, 3)
        assert takes_vectors(net)


def test_the_new_head_has_the_mode_the_precision_and_the_bias_of_the_old_one() -> None:
    net = create("airbench94").to(torch.float64).eval()
    replace_head(net, 3)
    head = net.get_submodule("linear")
    assert isinstance(head, nn.Linear)
    assert head.weight.dtype == torch.float64
    assert head.bias is None
    assert not head.training
    assert type(head).__name__ == "ScaledLinear"  # which divides its outputs
    assert not takes_vectors(net)


def test_a_convolution_becomes_a_perceptron_at_each_place() -> None:
    net = create("squeezenet1_1")
    replace_head(net, 3, "mlp", hidden=5)
    head = net.get_submodule("classifier.1")
    assert [tuple(p.shape) for p in head.parameters()] == [(5, 512, 1, 1), (5,), (3, 5, 1, 1), (3,)]
    assert net.eval()(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


def test_upsampling_starts_anew_as_interpolation() -> None:
    net = create("fcn16s", num_classes=2)
    with torch.no_grad():
        net.get_submodule("upsample").weight.zero_()  # type: ignore[operator]
    replace_head(net, 3)
    fresh = create("fcn16s", num_classes=3)
    for name in ("upsample.weight", "doublings.0.weight"):
        assert torch.equal(net.state_dict()[name], fresh.state_dict()[name])


def test_what_cannot_be_replaced() -> None:
    with pytest.raises(UsageError) as caught:
        replace_head(create("squeezenet1_1"), 3, "cosine")
    assert str(caught.value) == (
        "`head`: expected linear or mlp in the place of Conv2d; got cosine. "
        "Try `headed`, which puts any head on the maps of a net."
    )
    with pytest.raises(UsageError) as caught:
        replace_head(nn.Sequential(nn.Linear(3, 2)), 3)
    assert str(caught.value) == (
        "`Sequential`: expected a network that names its head; got one without `head`. Try one of the catalogue."
    )
    assert heads_of(nn.Linear(3, 2)) == ()
    assert not takes_vectors(nn.Linear(3, 2))


def test_a_head_that_is_asked_for_by_name_and_arguments_it_has_not() -> None:
    assert isinstance(create("resnet20_cifar", num_classes=3, head="mlp").get_submodule("linear"), Perceptron)
    with pytest.raises(UsageError, match="`lenet5`: expected an argument that it takes; got `hiden`"):
        create("lenet5", hiden=3)
    with pytest.raises(UsageError, match="`lenet5`: expected `hidden` beside a `head`; got it alone"):
        create("lenet5", hidden=3)
