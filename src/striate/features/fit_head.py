"""A head on a network that stays as it is: features once, then a fit in closed form or nearly so."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from striate.data import Batch, Index, Preprocessing, Rows, weighted_rows
from striate.device import Machine
from striate.errors import UsageError
from striate.features.extraction import Features
from striate.features.heads import SOLVERS, Fitted, fit
from striate.features.views import features_of, plain_view, views
from striate.graph.parts import Vectors, vectors
from striate.nets import heads_of, takes_vectors
from striate.tasks import HeadProblem, Task
from striate.training.run import Run
from striate.training.trial import Trial

TRIED_FROM = 512  # training images, from which on features of all cost much more than a trial
TRIED = 128  # of these, that are tried
CLEARLY_CHANGED = 1 / 50  # of the answers; docs/decisions/precision.md has what other limits cost


def probe(run: Run, net: nn.Module, problem: HeadProblem, smoothing: float | None = None) -> Fitted:
    """Fits a head to what the stages of a net give of the training images, all of them frozen.

    Args:
        run: its recipe says how: views, kind of head, class weights, sampling and seed.
        net: in evaluation mode, whose head plays no part; it stays as it is.
        problem: the labels of the training images, as the run's task gives them.
        smoothing: as `fit` takes it.

    Raises:
        DataError: there are fewer than two images, or one can no longer be read.
    """
    recipe, rows = run.recipe, run.index.rows("train")
    shown = views(run, recipe.transfer.views or 2)
    features = features_of(run, rows, _vectors(run, net), shown, "train", partial(_planned_vectors, run, net))
    kind = recipe.transfer.head
    with run.reporter.progress("head", len(SOLVERS[kind][1]) + 1, "penalties") as advance:
        return fit(
            [each.vectors() for each in features],
            problem.labels,
            run.task.outputs,
            kind=kind,
            hidden=recipe.transfer.hidden,
            weight=problem.class_weight,
            image_weight=_image_weight(run),
            smoothing=smoothing,
            seed=recipe.training.seed,
            precision=run.machine.precision,
            advance=advance,
        )


def in_suitable_precision(run: Run, net: nn.Module, problem: HeadProblem) -> Run:
    """The run, in float32 where a few training images show that bfloat16 would change too many answers of a head.

    Args:
        run: of the images.
        net: as in `probe`.
        problem: likewise.
    """
    prefix = cache(lambda: _vectors(run, net))  # which most runs are spared
    wider = cache(lambda: _planned_vectors(run, net))

    def features_on(rows: Rows, machine: Machine) -> Features:
        few = f"a few images in {machine.precision}"
        [found] = features_of(replace(run, machine=machine), rows, prefix(), [plain_view(run)], few, wider)
        return found

    trial = failed_trial(run.index, run.task, problem, run.preprocessing, run.machine, features_on)
    if trial is None:
        return run
    run.reporter.info(f"{trial}, more than 1 in {1 / CLEARLY_CHANGED:.0f}: float32 takes its place")
    return run.in_float32(asdict(trial))


def failed_trial(
    index: Index,
    task: Task,
    problem: HeadProblem,
    preprocessing: Preprocessing,
    machine: Machine,
    features_on: Callable[[Rows, Machine], Features],
) -> Trial | None:
    """What bfloat16 changes of a head's answers to a few training images, where that is too much; None where it is not.

    Each half of them is answered by a head that is fitted to the other half, from features in bfloat16 and in float32.
    The model file is tried in any case; this spares the features of many images that would be computed in vain. It is
    not asked of few images, nor of images that change meanwhile.

    Args:
        index: split.
        task: that its labels are of.
        problem: the labels of the training images, as the task gives them.
        preprocessing: of the images.
        machine: that features are to be computed on.
        features_on: gives the features of some rows, of which the last are what the head is given.
    """
    train = index.rows("train")
    if machine.precision != "bfloat16" or len(train) < TRIED_FROM:
        return None
    places = np.linspace(0, len(train) - 1, TRIED).astype(int)
    found = [features_on(train[places], each) for each in (machine, replace(machine, precision="float32"))]
    if any(len(each) < TRIED for each in found):
        return None
    both = [each.values()[-1].float().flatten(1) for each in found]
    labels = problem.labels[torch.from_numpy(places)]
    outputs = answers_of_halves(both, labels, task.outputs, problem.class_weight)
    rows = train[places]
    rounded, full = (task.observe(given, index, Batch(given, rows), preprocessing) for given in outputs)
    changed = int((task.answers(rounded) != task.answers(full)).sum())
    difference = (outputs[0] - outputs[1]).norm() / outputs[1].norm().clamp(min=1e-30)
    return Trial(TRIED, changed, float(difference)) if changed > CLEARLY_CHANGED * TRIED else None


def answers_of_halves(
    both: Sequence[Tensor], labels: Tensor, classes: int, class_weight: Tensor | None = None
) -> list[Tensor]:
    """What heads answer to vectors of the same few images in several precisions.

    Args:
        both: (N, D) each; those that the heads are fitted to come first.
        labels: as `fit` takes them.
        classes: how many.
        class_weight: likewise, or none.

    Returns:
        (N, classes) for each of `both`: of every other image by a head that is fitted to the rest, and of the rest by
        a head that is fitted to these.
    """
    half = torch.arange(len(labels)) % 2 == 0
    outputs = [torch.empty(len(labels), classes) for _ in both]
    for taught in (half, ~half):
        head = fit([both[0][taught]], labels[taught], classes, weight=class_weight).head
        for vectors_, given in zip(both, outputs, strict=True):
            given[~taught] = head(vectors_[~taught])
    return outputs


def cross_validated(run: Run, fitted: Fitted) -> dict[str, float]:
    """The task's metrics of training images, each by a head that had not seen it: of all, or if many, of some."""
    rows, outputs = run.index.rows("train")[fitted.held_out.numpy()], fitted.out_of_fold
    return run.task.metrics(run.task.observe(outputs, run.index, Batch(outputs, rows), run.preprocessing))


def install(net: nn.Module, head: nn.Module) -> None:
    """Puts a fitted head in the place of a net's own, which is then a plain net of the catalogue.

    Args:
        net: changed in place.
        head: of the kind, the features and the classes of the net's own.

    Raises:
        UsageError: the net's head does not take vectors.
    """
    require_head_on_vectors(net)
    net.get_submodule(heads_of(net)[0]).load_state_dict(head.state_dict())


def require_head_on_vectors(net: nn.Module) -> None:
    """Refuses a net whose head cannot be fitted by itself.

    Raises:
        UsageError: it is a convolution, or something follows it.
    """
    if not takes_vectors(net):
        names = heads_of(net)
        got = f"{type(net.get_submodule(names[0])).__name__} `{names[0]}`" if names else "one that names no head"
        raise UsageError(
            f"`{type(net).__name__}`: expected a network that ends in one linear layer, to put another head in; "
            f"got {got}. Try another network, or training."
        )


def _vectors(run: Run, net: nn.Module) -> Vectors:
    """What the head of a net is given, or would be if it took vectors."""
    stages: tuple[str, ...] = net.stages  # type: ignore[assignment]
    return vectors(net, stages[-1:], run.preprocessing.input_size)


def _planned_vectors(run: Run, net: nn.Module) -> Vectors:
    """What the planner looks at, of which the last is what the head is given."""
    stages: tuple[str, ...] = net.stages  # type: ignore[assignment]
    return vectors(net, stages, run.preprocessing.input_size)


def _image_weight(run: Run) -> Tensor | None:
    """How often training would draw each image of train, in proportion; None where all alike."""
    rows, weights = weighted_rows(run.index, run.index.rows("train"), run.recipe.training.sampling)
    if weights is None:
        return None
    return torch.from_numpy(weights[np.argsort(rows, kind="stable")])  # rows of train are in order
