"""A head in a net's last layer."""

import pytest
import torch

from striate.errors import UsageError
from striate.features import install
from striate.nets import create


def test_install_puts_the_head_in_the_last_layer() -> None:
    net = create("resnet20_cifar", num_classes=4).eval()
    head = torch.nn.Linear(64, 4)
    install(net, head)
    assert torch.equal(net.get_parameter("linear.weight"), head.weight)


def test_a_net_that_ends_otherwise_takes_no_head() -> None:
    with pytest.raises(UsageError) as caught:
        install(create("squeezenet1_1", num_classes=4).eval(), torch.nn.Linear(512, 4))
    assert str(caught.value) == (
        "`SqueezeNet`: expected a network that ends in one linear layer, to put another head in; "
        "got Conv2d `classifier.1`. Try another network, or training."
    )
