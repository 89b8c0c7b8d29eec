import pytest
import torch

from striate.device import choose
from striate.errors import UsageError
from striate.machine.networks import Speed, _inference, _training, speeds
from striate.machine.timing import Rate
from striate.nets import create

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_training_learns_and_inference_does_not() -> None:
    machine, net = choose("cpu", "float32"), create("resnet20_cifar")
    before = net.state_dict()["linear.weight"].clone()
    assert _inference(net, machine, IMAGES)() == 4
    assert torch.equal(net.state_dict()["linear.weight"], before)
    assert _training(net, machine, IMAGES)() == 4
    assert not torch.equal(net.state_dict()["linear.weight"], before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_runs_in_the_precision_that_is_measured(precision: str) -> None:
    net, seen = create("resnet20_cifar"), []
    net.get_submodule("conv1").register_forward_hook(lambda _module, _inputs, output: seen.append(str(output.dtype)))
    machine = choose("cpu", precision)
    _training(net, machine, IMAGES)()
    _inference(net, machine, IMAGES)()
    assert seen == [f"torch.{precision}"] * 2


def test_a_speed_for_each_machine() -> None:
    machines = [choose("cpu", "float32"), choose("cpu", "bfloat16")]
    found = speeds("lenet5_notes", machines, batch_size=4, img_size=32, rounds=2, least_s=0.0)
    assert [speed.precision for speed in found] == ["float32", "bfloat16"]
    assert all(speed.training.median > 0 and speed.inference.median > 0 for speed in found)


def test_shares_of_what_a_convolution_reaches() -> None:
    steady, faster = Rate(100, 100, 100), Rate(300, 300, 300)
    speed = Speed("net", "float32", steady, faster, multiplications=10**9, peak_bytes=None)
    assert speed.training_share(2.4e12) == 0.25  # 100 x 3 passes x 2 x 10^9
    assert speed.inference_share(2.4e12) == 0.25


def test_images_that_a_network_cannot_take() -> None:
    with pytest.raises(UsageError, match=r"expected H and W of 32; got the shape \[1, 3, 4, 4\]"):
        speeds("lenet5_notes", [choose("cpu")], batch_size=4, img_size=4, rounds=2, least_s=0.0)
