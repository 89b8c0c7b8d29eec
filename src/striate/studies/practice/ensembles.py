"""Ensembles of 1 to 15 networks: answers averaged, or weights."""

from functools import cache

import torch
from torch import Tensor, nn

from striate.studies.images import DIGITS
from striate.studies.learn import hits, learn, outputs, parameters, recipe
from striate.studies.numbers import Numbers
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, Verdict, all_of, more, times

SIZES = (1, 3, 5, 15)


@cache
def members(trial: Trial) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Answers to the test images and weights of 15 networks that began with different weights."""
    images, answers, weights = trial.images.draw(150, trial.seed), [], []
    for number in range(max(SIZES)):
        torch.manual_seed(1000 * trial.seed + number)
        net = network()
        learn(net, images, recipe(trial, 16, batch_size=50))
        answers.append(outputs(net, images.test).softmax(dim=1))
        weights.append(net.state_dict())
    return answers, weights


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))


def answers_averaged(trial: Trial) -> Measures:
    answers, _ = members(trial)
    scores = [hits(torch.stack(answers[:size]).mean(dim=0), trial.images.test_labels) for size in SIZES]
    return {"test accuracy": scores, "numbers to keep": [float(size * parameters(network())) for size in SIZES]}


def weights_averaged(trial: Trial) -> Measures:
    _, weights = members(trial)
    scores = []
    for size in SIZES:
        net = network()
        net.load_state_dict(
            {key: torch.stack([w[key].float() for w in weights[:size]]).mean(dim=0) for key in weights[0]}
        )
        scores.append(hits(outputs(net, trial.images.test), trial.images.test_labels))
    return {"test accuracy": scores, "numbers to keep": [float(parameters(net))] * len(SIZES)}


def gain(numbers: Numbers, at: int) -> Verdict:
    """The answers of several networks against those of one."""
    one, several = (list(numbers.of("answers averaged", "test accuracy", place)) for place in (0, at))
    both = Numbers({"one": {"accuracy": one}, "several": {"accuracy": several}})
    return more(both, "accuracy", "several", "one", least=0.002)


STUDY = Study(
    claims=("b-ensemble", "b-average-weights", "b-ensemble-cost"),
    claim="Averaging the answers of 3 to 15 networks helps, and averaging their weights does not work",
    setup="15 networks of one convolution and a linear layer begin with different weights and learn from the "
    "same 150 digits. The shares that the first 1, 3, 5 or 15 give to each class are averaged; or their "
    "weights are, into one network.",
    arms={"answers averaged": answers_averaged, "weights averaged": weights_averaged},
    figure=Lines("test accuracy", "networks", tuple(map(str, SIZES))),
    rule=lambda numbers: all_of(
        {
            "3 networks": gain(numbers, 1),
            "15 networks": gain(numbers, 3),
            "weights of 15": more(numbers, "test accuracy", "answers averaged", "weights averaged", least=0.1, at=3),
        },
        {"cost of 15": times(numbers, "numbers to keep", "answers averaged", "weights averaged", least=14.9, at=3)},
    ),
    planted={
        HOLDS: {
            "answers averaged": {"test accuracy": [0.9, 0.92, 0.93, 0.94], "numbers to keep": [1.0, 3.0, 5.0, 15.0]},
            "weights averaged": {"test accuracy": [0.9, 0.3, 0.2, 0.1], "numbers to keep": [1.0] * 4},
        },
        FAILS: {
            "answers averaged": {"test accuracy": [0.9, 0.85, 0.8, 0.8], "numbers to keep": [1.0] * 4},
            "weights averaged": {"test accuracy": [0.9, 0.91, 0.92, 0.93], "numbers to keep": [1.0] * 4},
        },
    },
    literature="Krizhevsky et al. 2012: five networks take top-5 error from 18.2 to 16.4 %. Lakshminarayanan et al. "
    "2016, arXiv:1612.01474. Weights can be averaged where networks began alike: Izmailov et al. 2018, "
    "arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482.",
    remark="In each of the three seeds several networks answer better than the first alone, by one to six points. "
    "But the first alone differs by up to six points from seed to seed, so three seeds do not exclude that "
    "there is no gain. Averaged weights are worse than a single network from three networks on: filters "
    "that do the same work stand at different places in each network, and their mean does the work of none.",
    sources=(DIGITS,),
    seeds=3,
)
