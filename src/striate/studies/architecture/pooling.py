"""Max pooling against average pooling, between layers and at the end."""

from functools import partial

from torch import Tensor, nn

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, more


def trained(trial: Trial, pool: type[nn.Module]) -> Measures:
    images = trial.images.draw(300, trial.seed)
    net = convnet((12, 24, 24), pools=(0, 1), pool=lambda: pool(2))
    learn(net, images, recipe(trial, 20))
    return {"test accuracy": accuracy(net, images.test, images.test_labels)}


def by_channel(trial: Trial) -> Measures:
    """Pooling of a volume against pooling of each of its channels, and how many parameters it has."""
    import torch

    volume, pool = torch.randn(1, 5, 6, 6), nn.MaxPool2d(2)
    alone: Tensor = torch.cat([pool(volume[:, channel : channel + 1]) for channel in range(5)], dim=1)
    return {"largest difference": float((pool(volume) - alone).abs().max() + sum(1 for _ in pool.parameters()))}


STUDY = Study(
    claims=("b-max", "b-average", "b-pool-channel", "c-average"),
    claim="Max pooling works better than average pooling between layers",
    setup="Three convolutions with a pooling of 2x2 after the first and the second learn from 300 digits. The "
    "mean over the last map is the same in both. Pooling of a volume is compared with pooling of each "
    "channel by itself.",
    arms={
        "max pooling": partial(trained, pool=nn.MaxPool2d),
        "average pooling": partial(trained, pool=nn.AvgPool2d),
        "channel by channel": by_channel,
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {"max": more(numbers, "test accuracy", "max pooling", "average pooling", least=0.005)},
        {"channels": exact(numbers, "largest difference", "channel by channel")},
    ),
    planted={
        HOLDS: {
            "max pooling": {"test accuracy": 0.96},
            "average pooling": {"test accuracy": 0.93},
            "channel by channel": {"largest difference": 0.0},
        },
        FAILS: {
            "max pooling": {"test accuracy": 0.93},
            "average pooling": {"test accuracy": 0.96},
            "channel by channel": {"largest difference": 1.0},
        },
    },
    literature="Scherer, Müller and Behnke 2010: max pooling beats subsampling on NORB and Caltech. Boureau, Ponce "
    "and LeCun 2010: which is better depends on how sparse the features are. Springenberg et al. 2014, "
    "arXiv:1412.6806: strided convolutions do as well.",
    remark="On these digits of 8 x 8 pixels average pooling is better by a point. Their strokes are grey at the "
    "edges, and a mean keeps how much ink there is where a maximum does not; the noise that a maximum "
    "would ignore is missing. Boureau, Ponce and LeCun's condition, that features be sparse, is not met "
    "by so small an image.",
    source=DIGITS,
    seeds=8,
)
