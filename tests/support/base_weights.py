"""A small published network, as a run finds it that begins with weights."""

from pathlib import Path

import torch
from torch import nn

from striate.data import Preprocessing
from striate.device import choose
from striate.model import Model
from striate.nets import create
from striate.tasks.classify import Classify


def save_base(
    path: Path,
    input_size: tuple[int, int, int] = (3, 16, 16),
    mean_std: float = 0.1,
    variance: tuple[float, float] = (0.5, 2.0),
) -> Path:
    """Writes a model file of a ResNet-20 of five classes, whose batch norms are not the identity.

    Args:
        path: to write to.
        input_size: channels, height and width.
        mean_std: standard deviation of the running means, around 0.
        variance: the least and the largest running variance.
    """
    channels = input_size[0]
    arguments = {"num_classes": 5, "in_channels": channels}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = create("resnet20_cifar", **arguments).eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.get_buffer("running_mean"), std=mean_std)
                nn.init.uniform_(module.get_buffer("running_var"), *variance)
    shown = Preprocessing(input_size, (0.5,) * channels, (0.5,) * channels, crop_pct=1.0)
    machine = choose("cpu", "float32")
    Model(net, "resnet20_cifar", arguments, Classify(tuple("abcde")), shown, machine=machine).save(path)
    return path
