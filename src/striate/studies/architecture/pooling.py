"""Max pooling against average pooling, between layers and at the end."""

from functools import partial

from torch import Tensor, nn

from striate.studies.images import DIGITS, PHOTOS, Source
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, exact, more

SETTINGS = {DIGITS: (300, 20, (12, 24, 24)), PHOTOS: (2000, 10, (16, 32, 32))}  # images, epochs, channels


def trained(trial: Trial, source: Source, pool: type[nn.Module]) -> Measures:
    count, epochs, channels = SETTINGS[source]
    images = trial.data[source].draw(count, trial.seed)
    net = convnet(channels, in_channels=source.channels, pools=(0, 1), pool=lambda: pool(2))
    learn(net, images, recipe(trial, epochs))
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
    setup="Three convolutions with a pooling of 2x2 after the first and the second learn from 300 digits of 8x8 "
    "pixels, or from 2,000 colour photos of 16x16. The mean over the last map is the same in both. Pooling of a "
    "volume is compared with pooling of each channel by itself.",
    arms={
        "digits, max": partial(trained, source=DIGITS, pool=nn.MaxPool2d),
        "digits, average": partial(trained, source=DIGITS, pool=nn.AvgPool2d),
        "photos, max": partial(trained, source=PHOTOS, pool=nn.MaxPool2d),
        "photos, average": partial(trained, source=PHOTOS, pool=nn.AvgPool2d),
        "channel by channel": by_channel,
    },
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            kind: more(numbers, "test accuracy", f"{kind}, max", f"{kind}, average", least=0.005)
            for kind in ("digits", "photos")
        },
        {"channels": exact(numbers, "largest difference", "channel by channel")},
    ),
    planted={
        HOLDS: {
            "digits, max": {"test accuracy": 0.96},
            "digits, average": {"test accuracy": 0.93},
            "photos, max": {"test accuracy": 0.45},
            "photos, average": {"test accuracy": 0.41},
            "channel by channel": {"largest difference": 0.0},
        },
        FAILS: {
            "digits, max": {"test accuracy": 0.93},
            "digits, average": {"test accuracy": 0.96},
            "photos, max": {"test accuracy": 0.41},
            "photos, average": {"test accuracy": 0.45},
            "channel by channel": {"largest difference": 1.0},
        },
    },
    literature="Scherer, Müller and Behnke 2010: max pooling beats subsampling on NORB and Caltech. Boureau, Ponce "
    "and LeCun 2010: which is better depends on how sparse the features are. Springenberg et al. 2014, "
    "arXiv:1412.6806: strided convolutions do as well.",
    remark="On photos max pooling is ahead in every seed, by nearly three points; on digits of 8 x 8 pixels average "
    "pooling is, by one. The strokes of these digits are grey at the edges, and a mean keeps how much ink "
    "there is where a maximum does not. Photos have edges and patches that are in few places of a window, "
    "which is where Boureau, Ponce and LeCun expect a maximum to be better: sparse features.",
    sources=(DIGITS, PHOTOS),
    seeds=8,
)
