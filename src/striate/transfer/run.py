"""A run that begins with weights: what is frozen of the network is computed once, and the rest learns from that."""

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import nn

from striate.errors import UsageError
from striate.graph.parts import head_of
from striate.model import Model
from striate.nets import create
from striate.nets.headed import Headed
from striate.recipe import Recipe
from striate.tasks import HeadProblem
from striate.train import run as training
from striate.train.console import Reporter
from striate.train.feed import Feed, PictureFeed
from striate.train.folder import RunFolder
from striate.train.run import Found, about_run, learn, say_what_learns
from striate.train.state import Run
from striate.transfer.backbone import Backbone, backbone, resolve
from striate.transfer.freeze import freeze, frozen_stages, keep_statistics, redrawn_stages
from striate.transfer.maps import MapFeed
from striate.transfer.plan import recommend
from striate.transfer.probe import install, probe, scored
from striate.weights import load_into

VIEWS = 8  # of each picture, of which training on kept maps shows one an epoch


def train(data: Path, recipe: Recipe, output: Path | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Trains a model on the pictures at `data`, from the weights that the recipe names.

    Where every stage is frozen and the network ends in one linear layer, that layer is fitted; else what is not frozen
    learns step by step.

    Args:
        data: see `striate.data.read`.
        recipe: what to do, with `transfer.weights`.
        output: as in `striate.train.train`.
        reporter: likewise.

    Raises:
        UsageError: if the recipe names what is not there, or the network does not go with what is asked.
        WeightsError, ModelFileError: if the weights are not there, or not whole.
        DataError: if the data cannot be trained on, or too much of it is unreadable.
        TrainingError: if the loss is no longer a number.
    """
    base = _base(recipe)
    go = functools.partial(_go, base=lambda: base)
    return training.train(data, resolve(recipe, base), output, reporter, go)


def resume(path: Path, recipe: Recipe | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Goes on with such a run; one whose head is fitted begins anew, with the features that were kept.

    Args:
        path: its folder.
        recipe: as in `striate.train.resume`.
        reporter: likewise.

    Raises:
        UsageError: if `path` is no run folder, or the recipe changes what cannot be changed.
        TrainingError: if none of its checkpoints can be read.
    """

    def go(run: Run, found: Found | None) -> None:
        _go(run, found, functools.cache(lambda: _base(run.recipe)))

    return training.resume(path, recipe, reporter, go)


def _base(recipe: Recipe) -> Backbone:
    """The weights that the recipe names, in a network with the head that it asks for."""
    return backbone(recipe.transfer.weights).headed(recipe.transfer)


def _go(run: Run, found: Found | None, base: Callable[[], Backbone]) -> None:
    """Fits a head, or trains; the weights are asked for where no checkpoint holds them."""
    if found is None:
        if run.recipe.transfer.freeze == "auto":
            run = _planned(run, base())
        net = base().net
        problem = run.task.head_problem(run.index, run.index.rows("train"), run.recipe)
        if problem is not None and _frozen(run, net) == net.stages and _why_not_fitted(run, net) is None:
            _fit(run, base(), problem)
            return
    learn(run, found, Pretrained(base))


def _frozen(run: Run, net: nn.Module) -> tuple[str, ...]:
    """The stages of a net that the recipe freezes."""
    return frozen_stages(net, run.recipe.transfer.freeze or "all")


def _planned(run: Run, base: Backbone) -> Run:
    """The run with as much frozen as is recommended, which its folder keeps."""
    plan = run.processes.from_first(
        lambda: recommend(run.index, base, run.preprocessing, run.machine, run.recipe, say=run.reporter.say)
    )
    run.reporter.say(f"--freeze auto, as planned: {plan.sentence}")
    recipe = replace(run.recipe, transfer=replace(run.recipe.transfer, freeze=plan.freeze, views=plan.views))
    if run.processes.first:
        run.folder.write_recipe(recipe)
    return replace(run, recipe=recipe, about=about_run(recipe, run.index))


def _why_not_fitted(run: Run, net: nn.Module) -> str | None:
    """Why a head cannot be fitted to what the stages of a net give; None where it can."""
    try:
        head_of(net, run.preprocessing.input_size)
    except UsageError as error:
        return str(error)
    return None


def _fit(run: Run, base: Backbone, problem: HeadProblem) -> None:
    """Fits a head to the frozen network, and leaves the run folder as training would."""
    started = time.perf_counter()
    found = scored(run, base.net, probe(run, base.net, problem))
    seconds = time.perf_counter() - started
    net = _with_weights(create(run.network, **run.arguments), base, run.recipe).eval()
    install(net, found.fitted.head, run.preprocessing.input_size)
    freeze(net, _frozen(run, net))
    say_what_learns(run, net)
    for name, scores in (("cross-validation on train", found.cross_validated), ("val", found.val)):
        if scores:
            run.reporter.say(f"{name}: {run.task.line(scores)}, loss {scores['loss']:.4f}")
    transfer = {"strength": found.fitted.strength, "temperature": found.fitted.temperature}
    about = run.about | {"epoch": 1, "head": transfer}
    model = Model(
        run.machine.place(net), run.network, run.arguments, run.task, run.preprocessing, found.val, about, run.machine
    )
    if run.processes.first:
        model.save(run.folder.model)
        row = {"epoch": 1, "step": 0, "train_s": seconds}
        row |= {f"cv_{name}": value for name, value in found.cross_validated.items()}
        run.folder.write_metrics([row | {f"val_{name}": value for name, value in found.val.items()}])
    run.reporter.say(f"model: {run.folder.model}, {seconds:.1f} s after the check of the pictures")


def _with_weights(net: nn.Module, base: Backbone, recipe: Recipe) -> nn.Module:
    """A net of the backbone's kind with its weights; what the recipe draws anew, and a head of other classes, keeps its
    initial values.
    """
    drawn = (*redrawn_stages(net, recipe.transfer.redraw), *(("head",) if isinstance(net, Headed) else ()))
    own, parts = net.state_dict(), tuple(f"{part}." for part in drawn)
    load_into(net, {k: own[k] if k.startswith(parts) else value for k, value in base.net.state_dict().items()})
    return net


class Pretrained:
    """Weights and a head fitted to them; kept maps where stages are frozen, else pictures.

    Args:
        base: gives the network with its weights.
    """

    def __init__(self, base: Callable[[], Backbone]) -> None:
        self._base = base

    def prepare(self, net: nn.Module, run: Run, *, resumed: bool) -> None:
        """Loads the weights, and fits the head to what they give of the pictures."""
        if resumed:
            return
        base = self._base()
        _with_weights(net, base, run.recipe)
        if not run.recipe.transfer.fit_head:
            return
        if run.recipe.transfer.redraw:
            run.reporter.say("the head begins with drawn values, not fitted ones: so do stages before it")
            return
        problem = run.task.head_problem(run.index, run.index.rows("train"), run.recipe)
        if problem is None:
            return
        why_not = _why_not_fitted(run, base.net)
        if why_not is None:
            fitted = probe(run, base.net, problem, problem.label_smoothing)
            install(net, fitted.head, run.preprocessing.input_size)
        else:
            run.reporter.say(f"the head begins with drawn values, not fitted ones: {why_not}")

    def freeze(self, net: nn.Module, run: Run) -> None:
        """Freezes the stages that the recipe names, and the statistics of the others where it says so."""
        freeze(net, _frozen(run, net))
        if run.recipe.transfer.batch_norm == "keep":
            keep_statistics(net)

    def feed(self, net: nn.Module, run: Run) -> Feed:
        """The maps that the frozen stages give, unless there are none or none shall be kept."""
        frozen, count = _frozen(run, net), run.recipe.transfer.views
        if not frozen or count == 0:
            return PictureFeed.open(run)
        return MapFeed.open(run, net, frozen, count or VIEWS)
