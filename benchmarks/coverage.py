"""How often the 95 % intervals of an evaluation hold the true value, over 1,000 simulated sets of images.

usage: python benchmarks/coverage.py [DRAWS] [IMAGES ...] [FIGURE ...]

Images of five classes are drawn with logits that are normal, and a true class that follows the softmax of the logits
times a sharpness: at 0.7 the model is too sure, at 1 it is calibrated. The true scores are those of a million images.
Grouped images come five together, and share what makes them hard.
"""

import sys
import time
from collections.abc import Callable, Collection
from functools import cache

import numpy as np
import torch

from striate.evaluation.calibration import calibration_error
from striate.evaluation.classes import class_scores
from striate.evaluation.intervals import Interval, Resampling
from striate.evaluation.paired import paired
from striate.evaluation.selective import abstention, aurc
from striate.tasks.answers import Answers

CLASSES, GROUP = 5, 5
TRUTH_IMAGES = 1_000_000
WANTED = 0.9
NAMES = tuple("abcde")


def draw(rng: np.random.Generator, count: int, sharpness: float, group: int = 1) -> tuple[Answers, Answers]:
    """Answers of two models to the same images; the second is a little worse."""
    hard = np.repeat(rng.normal(size=-(-count // group)), group)[:count]
    spread = np.exp(0.9 * hard) if group > 1 else np.exp(0.9 * rng.normal(size=count))
    logits = 2.0 * spread[:, None] * rng.normal(size=(count, CLASSES)).astype(np.float32)
    truth = torch.from_numpy(logits * sharpness).softmax(dim=1).cumsum(dim=1).numpy()
    labels = torch.from_numpy((rng.random(count)[:, None] > truth).sum(axis=1).clip(max=CLASSES - 1))
    other = logits + 0.8 * rng.normal(size=logits.shape).astype(np.float32)
    return tuple(Answers.of(torch.from_numpy(values), labels) for values in (logits, other))  # type: ignore[return-value]


def figures(first: Answers, second: Answers, by: Resampling, wanted: Collection[str] = ()) -> dict[str, Interval]:
    """Every kind of interval that an evaluation gives, or those of the wanted names."""
    scores = cache(lambda: class_scores(first, NAMES, by)[0])
    found: dict[str, Callable[[], Interval]] = {
        "accuracy": lambda: by.share(first.hits),
        "loss": lambda: by.means(first.loss[:, None])[0],
        "brier": lambda: by.means(first.brier[:, None])[0],
        "calibration error": lambda: calibration_error(first.confidence, first.hits, by),
        "aurc": lambda: aurc(first.confidence, first.hits, by),
        "share answered": lambda: abstention(first.confidence, first.hits, WANTED, by).answered,
        "recall": lambda: scores().recall,
        "precision": lambda: scores().precision,
        "f1": lambda: scores().f1,
        "difference": lambda: paired(first.hits, second.hits, by).difference,
    }
    return {name: found[name]() for name in wanted or found}


def true_figures(sharpness: float, group: int, wanted: Collection[str]) -> dict[str, float]:
    first, second = draw(np.random.default_rng(1), TRUTH_IMAGES, sharpness, group)
    few = Resampling(TRUTH_IMAGES, draws=2)
    return {name: interval.value for name, interval in figures(first, second, few, wanted).items()}


def simulate(count: int, sharpness: float, group: int, times: int, wanted: Collection[str]) -> str:
    truth = true_figures(sharpness, group, wanted)
    held = dict.fromkeys(truth, 0)
    for seed in range(times):
        first, second = draw(np.random.default_rng(1000 + seed), count, sharpness, group)
        groups = np.arange(count) // group if group > 1 else None
        for name, interval in figures(first, second, Resampling(count, groups, seed=seed), wanted).items():
            held[name] += interval.low <= truth[name] <= interval.high
    kind = f"{count:,} images{', grouped' if group > 1 else ''}, {'calibrated' if sharpness == 1 else 'too sure'}"
    return f"{kind}: " + ", ".join(f"{name} {100 * held[name] / times:.1f}" for name in truth)


def main() -> None:
    times = int(sys.argv[1]) if sys.argv[1:] else 1000
    counts = [int(word) for word in sys.argv[2:] if word.isdecimal()] or [150, 1000, 5000]
    wanted = [word for word in sys.argv[2:] if not word.isdecimal()]
    started = time.monotonic()
    for count in counts:
        for sharpness in (0.7, 1.0):
            for group in (1, GROUP):
                print(simulate(count, sharpness, group, times, wanted), flush=True)
    print(f"{times} simulated sets each, {time.monotonic() - started:.0f} seconds")


if __name__ == "__main__":
    main()
