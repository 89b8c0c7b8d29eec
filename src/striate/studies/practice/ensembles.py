"""Ensembles of 1 to 15 networks: answers averaged, or weights."""

from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn

from striate.studies.images import DIGITS, PHOTOS, Source
from striate.studies.learn import hits, learn, outputs, parameters, recipe
from striate.studies.numbers import Numbers
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, Verdict, all_of, more, times

SIZES = (1, 3, 5, 15)


@cache
def members(trial: Trial, source: Source) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Answers to the test images and weights of 15 networks that began with different weights."""
    images, answers, weights = trial.data[source].draw(150 if source is DIGITS else 600, trial.seed), [], []
    for number in range(max(SIZES)):
        torch.manual_seed(1000 * trial.seed + number)
        net = network(source)
        learn(net, images, recipe(trial, 16 if source is DIGITS else 5, batch_size=50))
        answers.append(outputs(net, images.test).softmax(dim=1))
        weights.append(net.state_dict())
    return answers, weights


def network(source: Source) -> nn.Module:
    channels, side = source.channels, (source.size - 2) // 2
    convolution = nn.Conv2d(channels, 8 * channels, 3)
    return nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * channels * side**2, 10))


def answers_averaged(trial: Trial, source: Source) -> Measures:
    (answers, _), labels = members(trial, source), trial.data[source].test_labels
    scores = [hits(torch.stack(answers[:size]).mean(dim=0), labels) for size in SIZES]
    return {"test accuracy": scores, "numbers to keep": [float(size * parameters(network(source))) for size in SIZES]}


def weights_averaged(trial: Trial, source: Source) -> Measures:
    (_, weights), images = members(trial, source), trial.data[source]
    scores = []
    for size in SIZES:
        net = network(source)
        net.load_state_dict(
            {key: torch.stack([w[key].float() for w in weights[:size]]).mean(dim=0) for key in weights[0]}
        )
        scores.append(hits(outputs(net, images.test), images.test_labels))
    return {"test accuracy": scores, "numbers to keep": [float(parameters(net))] * len(SIZES)}


def gain(numbers: Numbers, kind: str, at: int) -> Verdict:
    """The answers of several networks against those of one."""
    one, several = (list(numbers.of(f"{kind}, answers averaged", "test accuracy", place)) for place in (0, at))
    both = Numbers({"one": {"accuracy": one}, "several": {"accuracy": several}})
    return more(both, "accuracy", "several", "one", least=0.002)


KINDS = {"digits": DIGITS, "photos": PHOTOS}


def beside(rule: Callable[..., Verdict], numbers: Numbers, measure: str, kind: str, least: float) -> Verdict:
    """Averaged answers of 15 against averaged weights."""
    return rule(numbers, measure, f"{kind}, answers averaged", f"{kind}, weights averaged", least=least, at=3)


STUDY = Study(
    claims=("b-ensemble", "b-average-weights", "b-ensemble-cost"),
    claim="Averaging the answers of 3 to 15 networks helps, and averaging their weights does not work",
    setup="15 networks of one convolution and a linear layer begin with different weights and learn from the "
    "same 150 digits, or the same 600 colour photos of 16x16 pixels. The shares that the first 1, 3, 5 or 15 give "
    "to each class are averaged; or their weights are, into one network.",
    arms={
        f"{kind}, {name}": partial(arm, source=source)
        for kind, source in KINDS.items()
        for name, arm in (("answers averaged", answers_averaged), ("weights averaged", weights_averaged))
    },
    figure=Lines("test accuracy", "networks", tuple(map(str, SIZES))),
    rule=lambda numbers: all_of(
        {f"{kind}, {SIZES[at]} networks": gain(numbers, kind, at) for kind in KINDS for at in (1, 3)}
        | {f"{kind}, 15": beside(more, numbers, "test accuracy", kind, 0.1) for kind in KINDS},
        {f"{kind}, cost of 15": beside(times, numbers, "numbers to keep", kind, 14.9) for kind in KINDS},
    ),
    planted={
        HOLDS: {
            f"{kind}, {way} averaged": {"test accuracy": [0.9, *scores], "numbers to keep": [1.0, 3.0, 5.0, last]}
            for kind in KINDS
            for way, scores, last in (("answers", [0.92, 0.93, 0.94], 15.0), ("weights", [0.3, 0.2, 0.1], 1.0))
        },
        FAILS: {
            f"{kind}, {way} averaged": {"test accuracy": [0.9, *scores], "numbers to keep": [1.0] * 4}
            for kind in KINDS
            for way, scores in (("answers", [0.85, 0.8, 0.8]), ("weights", [0.91, 0.92, 0.93]))
        },
    },
    literature="Krizhevsky et al. 2012: five networks take top-5 error from 18.2 to 16.4 %. Lakshminarayanan et al. "
    "2016, arXiv:1612.01474. Weights can be averaged where networks began alike: Izmailov et al. 2018, "
    "arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482.",
    remark="On digits fifteen networks answer better than the first alone, in every seed, by one to six points, and "
    "three nearly as much. On photos they gain half a point on average, which five seeds do not tell from "
    "nothing: one convolution and a linear layer are wrong about the same photos whatever they began with, so"
    " that there is little to even out. Averaged weights are worse than a single network from three networks "
    "on, on both: filters that do the same work stand at different places in each network, and their mean "
    "does the work of none.",
    sources=(DIGITS, PHOTOS),
    seeds=5,
)
