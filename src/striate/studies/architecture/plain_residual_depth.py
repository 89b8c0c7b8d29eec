"""Plain networks train worse the deeper they are; residual ones do not."""

from functools import partial

from torch import nn

from striate.nets.plain import PlainBlock
from striate.nets.resnet import BasicBlock, Block, conv, stage
from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.numbers import Numbers
from striate.studies.small import Pooled
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, Verdict, all_of, more, no_worse

BLOCKS = (2, 9)  # a stage; two stages of two layers a block, a stem and a head
DEPTHS = tuple(4 * blocks + 2 for blocks in BLOCKS)


def network(block: Block, blocks: int) -> nn.Module:
    """He et al.'s CIFAR nets (sec. 4.2), with two stages of 6 and 12 channels for 8x8 pixels."""
    stem = (conv(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
    return nn.Sequential(
        *stem, stage(block, 6, 6, blocks, 1), stage(block, 6, 12, blocks, 2), Pooled(), nn.Linear(12, 10)
    )


def trained(trial: Trial, block: Block) -> Measures:
    losses, scores = [], []
    images = trial.images.draw(512, trial.seed)
    for blocks in BLOCKS:
        net = network(block, blocks)
        losses.append(learn(net, images, recipe(trial, 8, batch_size=32, warmup_epochs=1.0))[-1])
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"training loss": losses, "test accuracy": scores}


def rule(numbers: Numbers) -> Verdict:
    """Plain networks train worse with depth, and residual ones no worse, and better than these."""

    def loss(arm: str) -> Numbers:
        losses = {f"{layers} layers": list(numbers.of(arm, "training loss", at)) for at, layers in enumerate(DEPTHS)}
        return Numbers({layers: {"loss": values} for layers, values in losses.items()})

    return all_of(
        {
            "plain, deeper": more(loss("plain"), "loss", "38 layers", "10 layers", least=0.05),
            "residual, deeper": no_worse(loss("residual"), "loss", "10 layers", "38 layers", margin=0.05),
            "38 layers": more(numbers, "training loss", "plain", "residual", least=0.05, at=1),
            "38 layers, test accuracy": no_worse(numbers, "test accuracy", "residual", "plain", margin=0.02, at=1),
        }
    )


STUDY = Study(
    claims=(
        *("b-plain-worse", "b-deeper", "b-vanishing", "c-plain", "c-deeper", "c-hurt"),
        *("d-plain", "g-resnet-identity"),
    ),
    claim="Deeper plain networks reach a higher training loss; residual ones do not",
    setup="He et al.'s figure 6 on a small scale: networks of 10 and 38 layers, with and without shortcuts, "
    "batch norm in both, 6 and 12 channels, learn from 512 digits for 8 epochs, 128 steps, at a rate that rises "
    "over the first epoch. Nothing but the shortcut differs.",
    arms={
        "plain": partial(trained, block=PlainBlock),
        "residual": partial(trained, block=partial(BasicBlock, option="A")),
    },
    figure=Lines("training loss", "layers", tuple(map(str, DEPTHS))),
    rule=rule,
    planted={
        HOLDS: {
            "plain": {"training loss": [0.1, 2.3], "test accuracy": [0.95, 0.1]},
            "residual": {"training loss": [0.1, 0.1], "test accuracy": [0.95, 0.95]},
        },
        FAILS: {
            "plain": {"training loss": [0.2, 0.1], "test accuracy": [0.95, 0.95]},
            "residual": {"training loss": [0.1, 2.3], "test accuracy": [0.95, 0.1]},
        },
    },
    literature="He et al. 2015, arXiv:1512.03385, fig. 6: plain nets of 20 to 56 layers get worse with depth, also on "
    "training images; table 6: ResNet-20 to 110 get better, from 8.75 to 6.43 % error on CIFAR-10, and with"
    " 1,202 layers the test error is 7.93 %.",
    remark="Both plain networks learn their training images with 10 layers; with 38 the plain one is left at a loss "
    "of 1.5 to 1.9, on training images, so it is not overfitting, and answers a third of the test images. The"
    " residual one of 38 layers learns as well as that of 10, and as well as any. Nor do the plain network's "
    "gradients vanish, as `residual-gradients` shows: with batch norm they explode, each step is a large one "
    "in a direction that is right for a short way only.",
    sources=(DIGITS,),
    seeds=3,
)
