"""The planner: how much of a published network to keep frozen, from features of every stage, computed once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from striate.data import Index, Preprocessing, Rows
from striate.device import Machine
from striate.errors import DataError, UsageError
from striate.features.extraction import Features, extract
from striate.features.fit_head import failed_trial
from striate.features.heads import Fitted
from striate.graph.parts import Prefix, vectors
from striate.graph.runtime import extractor
from striate.plan.cost import Choice, Rates, choices, counted, measured
from striate.plan.curves import Answers, Curves, Depth, Size, curves, thinned
from striate.plan.rule import WORTH, Decision, Evidence, decide, difference, share
from striate.plan.suspects import suspects
from striate.pretrained import Pretrained
from striate.processors import cores
from striate.recipe import Recipe
from striate.tasks import HeadProblem, Task, task_of

MOST = 2000  # images that are looked at: for intervals of 0.02 to either side at worst, in minutes


@dataclass(frozen=True)
class SuspectLabel:
    """An image whose label may be wrong; see `striate.plan.suspects`."""

    row: int
    """The row of the index."""

    path: str
    given: str
    suggested: str
    probability: float
    """The probability of the suggested class."""


@dataclass(frozen=True)
class Plan:
    """How much to keep frozen, and all that it was decided from."""

    freeze: str
    """As `--freeze` takes it: all or none."""

    views: int
    """As `--views` takes it, to go with it."""

    sentence: str
    """The recommendation."""

    evidence: Evidence
    decision: Decision
    depths: tuple[Depth, ...]
    """A head on each stage, input to output."""

    sizes: tuple[Size, ...]
    """Heads on the best stage, by images; the last with all that were looked at."""

    choices: tuple[Choice, ...]
    """From all frozen to none."""

    rates: Rates
    suspects: tuple[SuspectLabel, ...]
    """The most suspect first; none where images have several labels, of which this is not asked."""

    unreadable: dict[str, str]
    """The reason of each image that was left out."""

    computed: int
    """Images whose features were not in the cache."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def recommend(
    index: Index,
    base: Pretrained,
    preprocessing: Preprocessing,
    machine: Machine,
    recipe: Recipe,
    *,
    most: int = MOST,
    log: Callable[[str], None] = print,
    advance: Callable[[int], None] = lambda count: None,
) -> Plan:
    """Says how much of a network to keep frozen for the training images of an index.

    Args:
        index: split; its training images alone are looked at.
        base: the network and its weights; it stays as it is.
        preprocessing: of the images.
        machine: that the work will be done on.
        recipe: its seed, epochs, batch size, class weights and workers.
        most: images that are looked at; fewer where there are fewer.
        log: is told what is wrong with the cache.
        advance: called with the number of images done since the last call.

    Raises:
        UsageError: the network has no stages, or cannot be followed.
        DataError: fewer than two images can be read.
    """
    stages, count = stages_of(base), len(index.rows("train"))
    prefix = vectors(base.net, stages, preprocessing.input_size)
    found, computed, frozen_on = _looked_at(index, prefix, preprocessing, machine, recipe, most, log, advance)
    task, problem = task_of(index, recipe), problem_of(index, found.rows, recipe)
    drawn = curves(found, problem, task, recipe.training.seed, frozen_on.precision)
    parts = counted(base.net, stages, preprocessing.input_size)
    rates = measured(
        index,
        found.rows,
        base.net,
        stages,
        parts,
        preprocessing,
        machine,
        recipe,
        forward=found.run_s,
        frozen=None if found.run_s else extractor(prefix, frozen_on),
        head=drawn.head_s / len(found),
    )
    costs = choices(stages, parts, rates, recipe, count - len(found.unreadable))
    return _planned(index, recipe, found, stages, drawn, rates, costs, computed)


def _looked_at(
    index: Index,
    prefix: Prefix,
    preprocessing: Preprocessing,
    machine: Machine,
    recipe: Recipe,
    most: int,
    log: Callable[[str], None],
    advance: Callable[[int], None],
) -> tuple[Features, int, Machine]:
    """The features of the images that are looked at, of how many images they were computed, and what computed them.

    Raises:
        DataError: fewer than two images can be read.
    """
    rows = index.rows("train")
    problem = problem_of(index, rows, recipe)
    computed = Counter[str]()

    def features_on(rows: Rows, on: Machine, advance: Callable[[int], None] = lambda count: None) -> Features:
        found = extract(
            index,
            rows,
            prefix,
            preprocessing,
            on,
            max_pixels=recipe.data.max_pixels,
            workers=recipe.machine.workers or cores(),
            budget=recipe.data.cache_budget,
            log=log,
            advance=advance,
        )
        computed[on.precision] += found.computed
        return found

    trial = failed_trial(index, task_of(index, recipe), problem, preprocessing, machine, features_on)
    frozen_on = machine if trial is None else replace(machine, precision="float32")  # as the run, which takes them
    found = features_on(rows[thinned(problem.labels, most, recipe.training.seed)], frozen_on, advance)
    if len(found) < 2:
        raise DataError(f"train: expected at least two images that can be read; got {len(found)}.")
    return found, computed[frozen_on.precision], frozen_on


def _planned(
    index: Index,
    recipe: Recipe,
    found: Features,
    stages: tuple[str, ...],
    drawn: Curves,
    rates: Rates,
    costs: tuple[Choice, ...],
    computed: int,
) -> Plan:
    last, whole = drawn.by_depth[-1], drawn.by_depth[drawn.best]
    labels = problem_of(index, found.rows, recipe).labels
    evidence = Evidence(
        images=len(index.rows("train")) - len(found.unreadable),
        looked_at=len(labels),
        classes=task_of(index, recipe).outputs,
        accuracy=last.accuracy,
        best=stages[drawn.best],
        doubled=difference(whole.hits, drawn.by_parts[2].hits) if drawn.by_parts else None,
    )
    decision = decide(evidence, costs[-1].seconds)
    return Plan(
        freeze=decision.freeze,
        views=next(choice.views for choice in costs if choice.freeze == decision.freeze),
        sentence=sentence(evidence, decision, costs[0].seconds, costs[-1].seconds),
        evidence=evidence,
        decision=decision,
        depths=tuple(
            Depth(stage, features, each.accuracy)
            for stage, features, each in zip(stages, drawn.features, drawn.by_depth, strict=True)
        ),
        sizes=tuple(Size(len(labels) // n, n, each.accuracy) for n, each in [*drawn.by_parts.items(), (1, whole)]),
        choices=costs,
        rates=rates,
        suspects=() if labels.ndim > 1 else _suspects(index, found.rows, whole, labels),
        unreadable={index.paths([row])[0]: reason for row, reason in sorted(found.unreadable.items())},
        computed=computed,
    )


def stages_of(base: Pretrained) -> tuple[str, ...]:
    """What can be frozen of a network, from the input on.

    Raises:
        UsageError: nothing.
    """
    stages: tuple[str, ...] = tuple(getattr(base.net, "stages", ()))
    if not stages:
        raise UsageError(f"`{base.name}`: expected a network with stages to freeze; got none. Try --freeze none.")
    return stages


def problem_of(index: Index, rows: Rows, recipe: Recipe) -> HeadProblem:
    """What heads are fitted to.

    Raises:
        UsageError: the task has no head that is fitted.
    """
    problem = task_of(index, recipe).head_problem(index, rows, recipe)
    if problem is None:
        raise UsageError(
            f"`task`: expected one whose head is fitted to features; got {recipe.network.task}. Try --task classify."
        )
    return problem


def _suspects(index: Index, rows: Rows, best: Answers, labels: torch.Tensor) -> tuple[SuspectLabel, ...]:
    """Labels that the best head doubts."""
    paths, classes = index.paths(rows), index.classes
    return tuple(
        SuspectLabel(
            int(rows[each.place]), paths[each.place], classes[each.given], classes[each.suggested], each.probability
        )
        for each in suspects(best.logits.softmax(dim=1), labels)
    )


def decide_by_head(
    index: Index, task: Task, problem: HeadProblem, fitted: Fitted, learning_seconds: Callable[[], float]
) -> tuple[Decision, str]:
    """The decision, with its sentence, by the head that a run has fitted to frozen features already.

    It costs nothing but a step of training, and that only where training may be worth it.

    Args:
        index: of the run; all its training images were learnt from.
        task: of the run.
        problem: that the head was fitted to.
        fitted: the head, and its answers to images that it was not fitted to.
        learning_seconds: measures what training all of the network would take.
    """
    labels = problem.labels[fitted.held_out]
    hits = task.image_scores(fitted.out_of_fold, {"label": labels}).numpy() > 0
    images = len(index.rows("train"))
    evidence = Evidence(images, images, task.outputs, share(hits), best="", doubled=None)
    decision, learning_s = decide(evidence), None
    if decision.freeze == "none":
        learning_s = learning_seconds()
        decision = decide(evidence, learning_s)
    return decision, sentence(evidence, decision, learning_s=learning_s)


def sentence(
    evidence: Evidence, decision: Decision, frozen_s: float | None = None, learning_s: float | None = None
) -> str:
    """The recommendation, with what it is expected to give and to take.

    Args:
        evidence: that was decided from.
        decision: from it.
        frozen_s: seconds that a run with all frozen takes; None where they are not known.
        learning_s: seconds that training all of the network takes, likewise.
    """
    in_frozen, in_learning = ("" if each is None else f" in {span(each)}" for each in (frozen_s, learning_s))
    slow = f", less than {WORTH} a minute" if decision.too_slow else ""
    thinned_out = evidence.looked_at < evidence.images
    of_some = f" with {evidence.looked_at:,} of {evidence.images:,} images" if thinned_out else ""
    accuracy = f"accuracy {evidence.accuracy}{of_some}{in_frozen}"
    gain = f"is expected to add {decision.unfreezing.signed}{in_learning}{slow}"
    if decision.freeze == "all":
        words = [f"freeze all: {accuracy}", f"--freeze none {gain}"]
    else:
        words = [f"freeze none: all frozen gives {accuracy}", f"this {gain}"]
    if decision.more_images is not None:
        verb = "would help more:" if decision.more_is_better else "are expected to add"
        twice = f"twice these {evidence.looked_at:,} images" if thinned_out else "twice the images"
        words.append(f"{twice} {verb} {decision.more_images.signed}")
    return "; ".join(words)


def span(seconds: float) -> str:
    """A duration in the unit that suits it.

    >>> span(4.21), span(90), span(7200)
    ('4.2 s', '1.5 min', '2.0 h')
    """
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
