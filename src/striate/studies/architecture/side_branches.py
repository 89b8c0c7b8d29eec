"""A side branch predicts decently from the middle, and is said to regularise."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from striate.studies.images import DIGITS
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, inside, more

WEIGHT = 0.3  # of the branch's loss, as GoogLeNet's


class Branched(nn.Module):
    """Four convolutions; after the second, a branch with its own logits."""

    def __init__(self) -> None:
        super().__init__()
        self.first = convnet((12, 12), pools=(), head=False)
        self.second = convnet((12, 24), in_channels=12, pools=(0,), head=False)
        self.branch = nn.Sequential(nn.Flatten(), nn.Linear(12 * 64, 10))
        self.main = nn.Sequential(nn.Flatten(), nn.Linear(24 * 16, 10))

    def forward(self, x: Tensor) -> Tensor:
        """(2, N, 10): the main logits and the branch's in training, the main ones alone after it."""
        x = self.first(x)
        main: Tensor = self.main(self.second(x))
        return torch.stack([main, self.branch(x)]) if self.training else main


def trained(trial: Trial, weight: float) -> Measures:
    images, net = trial.images.draw(150, trial.seed), Branched()

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(outputs[0], labels) + weight * cross_entropy(outputs[1], labels)

    learn(net, images, recipe(trial, 10, lr=0.02, batch_size=30), loss=loss)
    test = accuracy(net, images.test, images.test_labels)
    measures: Measures = {
        "test accuracy": test,
        "training accuracy less test accuracy": accuracy(net, images.train, images.train_labels) - test,
    }
    if weight:
        branch = nn.Sequential(net.first, net.branch)
        measures["test accuracy of the branch"] = accuracy(branch, images.test, images.test_labels)
    return measures


STUDY = Study(
    claims=("g-side", "b-side", "b-side-regular", "c-side", "c-side-regular", "d-side"),
    claim="A side branch predicts decently from a hidden layer, and makes the whole network overfit less",
    setup="Four convolutions learn from 150 digits, with and without a branch after the second whose loss "
    "counts 0.3, as GoogLeNet's do. Overfitting is the accuracy on training images less that on test "
    "images.",
    arms={"with a side branch": partial(trained, weight=WEIGHT), "without": partial(trained, weight=0.0)},
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of(
        {
            "the branch's own accuracy": inside(numbers, "test accuracy of the branch", "with a side branch", low=0.5),
            "overfitting": more(
                numbers, "training accuracy less test accuracy", "without", "with a side branch", least=0.005
            ),
        }
    ),
    planted={
        HOLDS: {
            "with a side branch": {
                "training accuracy less test accuracy": 0.05,
                "test accuracy of the branch": 0.8,
            },
            "without": {"training accuracy less test accuracy": 0.10},
        },
        FAILS: {
            "with a side branch": {
                "training accuracy less test accuracy": 0.10,
                "test accuracy of the branch": 0.2,
            },
            "without": {"training accuracy less test accuracy": 0.05},
        },
    },
    literature="Szegedy et al. 2014, arXiv:1409.4842, sec. 5, meant them against vanishing gradients; Szegedy et al. "
    "2015, arXiv:1512.00567, sec. 4: they do not help early in training, and act as regularisers, more so "
    "with batch norm in the branch.",
    remark="A branch after the second of four convolutions answers 90 % of the test images right, three points "
    "less than the end of its network. The gap between training and test images is smaller with it in all "
    "three seeds, but by half a point, which three seeds do not tell from nothing. Four layers leave a "
    "branch little to add; GoogLeNet, which it was made for, has 22.",
    sources=(DIGITS,),
    seeds=3,
)
