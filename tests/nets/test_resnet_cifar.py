import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from striate.errors import UsageError
from striate.layers.checkpointed import Checkpointed
from striate.nets import create
from striate.nets.resnet_cifar import VARIANTS

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights"
CIFAR = SHARED / "data" / "cifar10-jpeg" / "test-00000-of-00001.parquet"


def parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


# Table 6 of the paper, in millions, with as many digits as it prints.
@pytest.mark.parametrize(
    ("depth", "millions", "digits"),
    [(20, 0.27, 2), (32, 0.46, 2), (44, 0.66, 2), (56, 0.85, 2), (110, 1.7, 1), (1202, 19.4, 1)],
)
def test_parameters_are_those_of_the_papers_table(depth: int, millions: float, digits: int) -> None:
    with torch.device("meta"):
        assert round(parameters(VARIANTS[f"resnet{depth}_cifar"]()) / 1e6, digits) == millions


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110, 1202])
def test_layers_with_weights_on_the_longest_path_are_6n_plus_2(depth: int) -> None:
    with torch.device("meta"):
        net = VARIANTS[f"resnet{depth}_cifar"]()
    assert sum(isinstance(module, (nn.Conv2d, nn.Linear)) for module in net.modules()) == depth


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ("A", 0),
        ("B", 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64),
        ("C", 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64 + 3 * (256 + 32) + 2 * (1_024 + 64) + 2 * (4_096 + 128)),
    ],
)
def test_what_each_shortcut_costs(option: str, more: int) -> None:
    assert parameters(create("resnet20_cifar", shortcut=option)) == 269_722 + more


def test_an_unknown_shortcut_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^`shortcut`: expected A, B or C; got 'a'\. Try one of: A, "):
        create("resnet20_cifar", shortcut="a")


def photos(number: int) -> tuple[Tensor, Tensor]:
    """Labels and normalised images of the test set's first pictures."""
    table = pq.read_table(CIFAR).slice(0, number).to_pylist()
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")) for row in table])
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # as in their training
    images = (torch.from_numpy(pixels) / 255 - mean) / std
    return torch.tensor([row["label"] for row in table]), images.permute(0, 3, 1, 2)


@pytest.mark.parametrize("depth", [20, 56])
def test_published_weights_load_with_every_tensor_used(depth: int) -> None:
    file = WEIGHTS / f"cifar_resnet{depth}.safetensors"
    if not (file.exists() and CIFAR.exists()):
        pytest.skip(f"no published weights or no pictures: {file} or {CIFAR} is not on this machine")
    tensors = {name.removeprefix("module."): tensor for name, tensor in load_file(file).items()}
    net = create(f"resnet{depth}_cifar")
    net.load_state_dict(tensors)  # strict: nothing missing, nothing left over
    loaded = net.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())

    labels, images = photos(200)
    with torch.inference_mode():
        answers = net.eval()(images).argmax(dim=1)
    assert (answers == labels).float().mean() > 0.75  # on these pictures, whose JPEG takes about a tenth


def test_initial_values() -> None:
    for name, module in create("resnet20_cifar").named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels >= 16:
            fan_in = module.in_channels * 9
            assert module.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.06), name


def train_once(net: nn.Module, images: Tensor) -> list[Tensor]:
    torch.autograd.backward(net(images).square().mean())
    gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
    return [*gradients, *net.buffers()]


def test_checkpointing_gives_the_same_gradients_and_statistics() -> None:
    kept, checkpointed = create("resnet56_cifar"), create("resnet56_cifar", checkpointing=True)
    checkpointed.load_state_dict(kept.state_dict())
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected, actual = train_once(kept, images), train_once(checkpointed, images)
    assert len(actual) == len(expected) == sum(1 for _ in kept.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))


def test_checkpointing_is_of_the_stages() -> None:
    net = create("resnet20_cifar", checkpointing=True)
    assert [isinstance(getattr(net, name), Checkpointed) for name in ("layer1", "layer2", "layer3")] == [True] * 3
    assert not any(isinstance(module, Checkpointed) for module in create("resnet20_cifar").modules())


def test_a_thousand_layers_train_with_checkpointing() -> None:
    net = create("resnet1202_cifar", checkpointing=True)
    saved: list[int] = []

    def keep(x: Tensor) -> Tensor:
        saved.append(x.numel())
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        logits = net(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
    torch.autograd.backward(logits.square().mean())
    norms = torch.stack([p.grad.norm() for p in net.parameters() if p.grad is not None])
    assert len(norms) == sum(1 for _ in net.parameters())
    assert torch.isfinite(norms).all()
    assert (norms > 0).all()
    assert sum(saved) < 2 * 1202 * 16 * 8 * 8 / 4  # less than a quarter of one map a layer, at the size of the first


def test_plain_and_residual_differ_by_the_shortcut_alone() -> None:
    plain, residual = create("plain20_cifar"), create("resnet20_cifar")
    assert list(plain.state_dict()) == list(residual.state_dict())
    plain.load_state_dict(residual.state_dict())
    images = torch.randn(2, 3, 8, 8)
    stem = torch.relu(plain.get_submodule("bn1")(plain.get_submodule("conv1")(images)))
    first = [net.get_submodule("layer1.0").eval() for net in (plain, residual)]
    inside = first[0].get_submodule("bn2")(
        first[0].get_submodule("conv2")(
            torch.relu(first[0].get_submodule("bn1")(first[0].get_submodule("conv1")(stem)))
        )
    )
    torch.testing.assert_close(first[0](stem), torch.relu(inside))
    torch.testing.assert_close(first[1](stem), torch.relu(inside + stem))
