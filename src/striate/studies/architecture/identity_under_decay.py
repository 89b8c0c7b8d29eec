"""Where weights decay, a residual block becomes the identity, and a plain block zero."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

DECAYS, WIDTH, BLOCKS = (0.0, 0.3), 8, 4


class Block(nn.Module):
    """Two 3x3 convolutions, as the notes write them: relu(W relu(W x) + x), or without the x."""

    def __init__(self, shortcut: bool, norm: bool) -> None:
        super().__init__()
        self.shortcut = shortcut
        norms: list[nn.Module] = [nn.BatchNorm2d(WIDTH) if norm else nn.Identity() for _ in range(2)]
        convs = [nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False) for _ in range(2)]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        self.body = nn.Sequential(convs[0], norms[0], nn.ReLU(), convs[1], norms[1])

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.body(x) + x) if self.shortcut else relu(self.body(x))


def penalised(answers: Tensor, labels: Tensor, blocks: list[Block], decay: float) -> Tensor:
    """Cross-entropy and the L2 penalty of the blocks' convolutions, the only weights that decay."""
    squares = [weight.square().sum() for block in blocks for weight in block.parameters() if weight.dim() > 1]
    return cross_entropy(answers, labels) + decay / 2 * torch.stack(squares).sum()


def trained(trial: Trial, shortcut: bool, norm: bool = False) -> Measures:
    distances, scores = [], []
    images = trial.images.draw(320, trial.seed)
    for decay in DECAYS:
        blocks = [Block(shortcut, norm) for _ in range(BLOCKS)]
        stem = nn.Sequential(nn.Conv2d(1, WIDTH, 3, padding=1), nn.ReLU())
        head = (nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * WIDTH, 10))
        net = nn.Sequential(stem, *blocks, *head)
        learn(net, images, recipe(trial, 40, lr=0.02), loss=partial(penalised, blocks=blocks, decay=decay))
        with torch.inference_mode():
            x = stem(images.test)
            distances.append(float((nn.Sequential(*blocks)(x) - x).norm() / x.norm()))
        scores.append(accuracy(net, images.test, images.test_labels))
    return {"distance from the identity": distances, "test accuracy": scores}


STUDY = Study(
    claims=("b-decay", "b-identity", "c-identity", "e-delta"),
    claim="Under weight decay residual blocks turn into the identity and the network still works; plain blocks "
    "turn into zero",
    setup="Four blocks of two convolutions on 8 channels, with and without the shortcut, lie between a convolution and "
    "a linear layer, and learn from 320 digits. "
    "The blocks' weights decay at 0 or 0.3, by an L2 penalty; their convolutions have no biases, and the first and the "
    "last layer do not decay. Measured is how far what the four blocks give is from what they are given, beside "
    "that: 0 is the identity, and 1 is what an output of zero gives. The third arm has batch norm in the block, "
    "which the notes' argument leaves out.",
    arms={
        "residual": partial(trained, shortcut=True),
        "plain": partial(trained, shortcut=False),
        "residual, batch norm": partial(trained, shortcut=True, norm=True),
    },
    figure=Lines("distance from the identity", "weight decay", tuple(map(str, DECAYS))),
    rule=lambda numbers: all_of(
        {
            "residual, decay 0.3": inside(numbers, "distance from the identity", "residual", high=0.2, at=1),
            "with batch norm, decay 0.3": inside(
                numbers, "distance from the identity", "residual, batch norm", high=0.2, at=1
            ),
            "accuracy, decay 0.3": more(numbers, "test accuracy", "residual", "plain", at=1),
        }
    ),
    planted={
        HOLDS: {
            "residual": {"distance from the identity": [1.1, 0.05], "test accuracy": [0.9, 0.6]},
            "plain": {"distance from the identity": [1.1, 1.01], "test accuracy": [0.9, 0.1]},
            "residual, batch norm": {"distance from the identity": [1.1, 0.05], "test accuracy": [0.9, 0.6]},
        },
        FAILS: {
            "residual": {"distance from the identity": [1.1, 1.01], "test accuracy": [0.9, 0.1]},
            "plain": {"distance from the identity": [1.1, 0.05], "test accuracy": [0.9, 0.6]},
            "residual, batch norm": {"distance from the identity": [1.1, 1.3], "test accuracy": [0.9, 0.1]},
        },
    },
    literature="He et al. 2015, arXiv:1512.03385, sec. 3.1 and fig. 7: residual functions have small responses. van "
    "Laarhoven 2017, arXiv:1706.05350: with batch norm, weight decay changes the effective rate and not "
    "the function.",
    remark="Decay takes the residual blocks from four to six times their input to about once it or less, and their "
    "network still answers nine images of ten; the plain blocks turn into zero, and their network into a "
    "guess. So shortcuts leave what they are given alone, as the notes say. But the blocks do not become the "
    "identity: where the loss still asks something of a block, it keeps weights against a decay of 0.3. In an"
    " earlier version nothing but a mean over the map followed the blocks; the loss then asked nothing of "
    "them, and they became the identity to eight digits, in a network that could not work. With batch norm "
    "they stay far from it: it undoes what decay takes from the weights.",
    sources=(DIGITS,),
    seeds=4,
)
