"""plain-20 and plain-56 against ResNet-20 and ResNet-56, the catalogue's own, beside the published errors."""

from functools import partial

from striate.nets import create
from striate.studies.images import Source
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more

PHOTOS = Source("cifar10-jpeg", "small colour photos such as CIFAR-10", size=8, channels=3, train=1000, test=500)


def trained(trial: Trial, name: str) -> Measures:
    net = create(name)
    losses = learn(net, trial.images, recipe(trial, 6))
    error = 100 - 100 * accuracy(net, trial.images.test, trial.images.test_labels)
    return {"test error in %": error, "training loss": losses[-1]}


STUDY = Study(
    claims=("b-plain-worse", "c-plain", "d-plain"),
    claim="plain-56 is worse than plain-20, and ResNet-56 is not worse than plain-56",
    setup="The catalogue's `plain20_cifar`, `plain56_cifar`, `resnet20_cifar` and `resnet56_cifar` learn from "
    "1,000 photos of CIFAR-10, as JPEG, at 8x8 pixels, for 6 epochs. The published nets learned from "
    "50,000 lossless ones at 32x32 for about 180: some 24,000 times as much arithmetic.",
    arms={
        "plain-20 (published: 10.1)": partial(trained, name="plain20_cifar"),
        "plain-56 (published: 15.4)": partial(trained, name="plain56_cifar"),
        "ResNet-20 (published: 8.75)": partial(trained, name="resnet20_cifar"),
        "ResNet-56 (published: 6.97)": partial(trained, name="resnet56_cifar"),
    },
    figure=Dots("test error in %"),
    rule=lambda numbers: all_of(
        {
            "deeper": more(
                numbers, "training loss", "plain-56 (published: 15.4)", "plain-20 (published: 10.1)", least=0.05
            ),
            "shortcuts": more(
                numbers, "training loss", "plain-56 (published: 15.4)", "ResNet-56 (published: 6.97)", least=0.05
            ),
        }
    ),
    planted={
        HOLDS: {
            "plain-20 (published: 10.1)": {"training loss": 1.5},
            "plain-56 (published: 15.4)": {"training loss": 2.1},
            "ResNet-20 (published: 8.75)": {"training loss": 1.4},
            "ResNet-56 (published: 6.97)": {"training loss": 1.4},
        },
        FAILS: {
            "plain-20 (published: 10.1)": {"training loss": 2.1},
            "plain-56 (published: 15.4)": {"training loss": 1.5},
            "ResNet-20 (published: 8.75)": {"training loss": 1.4},
            "ResNet-56 (published: 6.97)": {"training loss": 2.1},
        },
    },
    literature="He et al. 2015, arXiv:1512.03385, table 6, for the ResNets; techxzen's retraining on GitHub, on "
    "lossless CIFAR-10, for plain-20 and plain-56: 10.08 and 15.39 %. A ResNet-20 with published weights "
    "falls from an accuracy of 0.92 to about 0.81 on these JPEG files of quality 75, so no error here "
    "compares with a published one.",
    remark="In these 96 steps depth itself is what hurts: plain-56 and ResNet-56 both stay near the loss of a "
    "guess, 2.3, while ResNet-20 learns faster than plain-20. That plain-56 is worse than plain-20 is "
    "therefore no sign of what shortcuts do, and that they save 56 layers does not show in so short a "
    "training; `plain-residual-depth` shows it for 38 layers.",
    source=PHOTOS,
    seeds=3,
)
