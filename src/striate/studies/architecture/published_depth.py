"""plain-20 and plain-56 against ResNet-20, 56 and 110, the catalogue's own, beside the published errors."""

from functools import partial

from striate.nets import create
from striate.studies.images import PHOTOS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more, no_worse

ERRORS = {  # published, in %
    "plain-20": 10.08,
    "plain-56": 15.39,
    "ResNet-20": 8.75,
    "ResNet-56": 6.97,
    "ResNet-110": 6.43,
}
PLAIN20, PLAIN56, RESNET20, RESNET56, RESNET110 = (f"{name} (published: {error})" for name, error in ERRORS.items())


def trained(trial: Trial, name: str) -> Measures:
    """The paper's rate and decay, for batches of a quarter of the size, and a warm-up, as for its ResNet-110."""
    net, images = create(name), trial.images.draw(1500, trial.seed)
    losses = learn(net, images, recipe(trial, 6, lr=0.025, batch_size=32, warmup_epochs=1.0, weight_decay=1e-4))
    return {
        "test error in %": 100 - 100 * accuracy(net, images.test, images.test_labels),
        "training loss": losses[-1],
    }


STUDY = Study(
    claims=("b-plain-worse", "c-plain", "d-plain"),
    claim="plain-56 is worse than plain-20, and ResNet-56 and ResNet-110 are no worse than ResNet-20",
    setup="The catalogue's `plain20_cifar`, `plain56_cifar`, `resnet20_cifar`, `resnet56_cifar` and "
    "`resnet110_cifar` learn from 1,500 photos of CIFAR-10, as JPEG, at 16x16 pixels, at a rate that rises over the "
    "first epoch. These runs are short: 282 steps of 32 photos, where the published nets saw 64,000 batches of 128 "
    "lossless photos at 32x32, mirrored and moved, some 3,600 times as much arithmetic. So they show how the nets "
    "begin to learn, and not what they come to.",
    arms={
        arm: partial(trained, name=f"{arm.split(' ')[0].lower().replace('-', '')}_cifar")
        for arm in (PLAIN20, PLAIN56, RESNET20, RESNET56, RESNET110)
    },
    figure=Dots("test error in %"),
    rule=lambda numbers: all_of(
        {
            "plain, deeper": more(numbers, "training loss", PLAIN56, PLAIN20, least=0.05),
            "shortcuts, 56 layers": more(numbers, "training loss", PLAIN56, RESNET56, least=0.05),
            "residual, 56 layers": no_worse(numbers, "training loss", RESNET20, RESNET56, margin=0.05),
            "residual, 110 layers": no_worse(numbers, "training loss", RESNET20, RESNET110, margin=0.05),
        }
    ),
    planted={
        HOLDS: {
            PLAIN20: {"training loss": 1.5},
            PLAIN56: {"training loss": 2.1},
            RESNET20: {"training loss": 1.4},
            RESNET56: {"training loss": 1.4},
            RESNET110: {"training loss": 1.35},
        },
        FAILS: {
            PLAIN20: {"training loss": 2.1},
            PLAIN56: {"training loss": 1.5},
            RESNET20: {"training loss": 1.4},
            RESNET56: {"training loss": 2.1},
            RESNET110: {"training loss": 2.2},
        },
    },
    literature="He et al. 2015, arXiv:1512.03385, fig. 6 and table 6, for the ResNets; a retraining by techxzen on "
    "GitHub, on lossless CIFAR-10, for plain-20, 32, 44 and 56: 10.08, 11.15, 14.12 and 15.39 % error. For "
    "ResNet-110 the paper had to begin at a tenth of the rate, until the training error was below 80 %.",
    remark="What shortcuts do shows plainly: plain-56 stays near the loss of a guess, 2.3, where ResNet-56 comes to "
    "1.0 and ResNet-110 to 1.4, both below plain-20's 1.6. That deeper residual nets are better does not "
    "show: in 282 steps ResNet-20 is ahead of ResNet-56, and that of ResNet-110. The last layer sees the sum "
    "of 27 or 54 blocks, so the first steps have to be small, and a deep net is still learning when a shallow"
    " one has the images by heart: in a first version of this study, at a rate of 0.05 from the first step "
    "and without a warm-up, ResNet-56 stayed at a guess as plain-56 did. No error here compares with a "
    "published one: these are JPEG files of quality 75, on which a ResNet-20 with published weights falls "
    "from an accuracy of 0.92 to about 0.81; there are 1,500 of the 50,000 photos, with a quarter of the "
    "pixels, never mirrored or moved, and 282 steps for 64,000.",
    sources=(PHOTOS,),
    seeds=3,
)
