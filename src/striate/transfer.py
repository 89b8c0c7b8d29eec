"""Training from weights: what is frozen of the network is computed once, and the rest learns from that."""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from striate import training
from striate.beginning import Beginning, beginning
from striate.console import Reporter
from striate.data import Index, Preprocessing
from striate.errors import UsageError
from striate.features.boxes import has_masks
from striate.features.cached import cached_features
from striate.features.fit_head import cross_validated, in_suitable_precision, install, probe, require_head_on_vectors
from striate.features.fit_parts import fit_parts, install_parts
from striate.features.heads import Fitted
from striate.nets import arguments_of, create, encoder_name, heads_of
from striate.nets.headed import Headed
from striate.plan.cost import learning_seconds
from striate.plan.price import Price, price
from striate.plan.recommend import MOST, Plan, decide_by_head, problem_of, recommend, stages_of
from striate.pretrained import Pretrained, pretrained
from striate.recipe import AUTO_WEIGHTS, NO_WEIGHTS, Recipe, TransferRecipe
from striate.recipe.size import written
from striate.tasks import task_kind, task_of
from striate.training.closing import close_fitted
from striate.training.folder import RunFolder
from striate.training.freeze import WITHIN, freeze, frozen_stages, keep_statistics, redrawn_stages
from striate.training.images import images
from striate.training.inputs import Inputs
from striate.training.loop import fit
from striate.training.network import describe, drawn_network, new_network, placed
from striate.training.prepare import (
    checked_and_split,
    default_output,
    machine_of,
    prepare,
    preprocessing_of,
    read_data,
    reopen,
    with_pixel_range,
)
from striate.training.process_group import JoinedProcesses
from striate.training.resolve import resolve as resolve_recipe
from striate.training.resolve import without_colours
from striate.training.run import Run
from striate.training.snapshots import require_no_snapshots
from striate.training.trial import try_bfloat16
from striate.weights import load_into

VIEWS = 8  # of each image, of which training on cached features shows one an epoch
FINE_TUNING_LR = 1e-4  # a tenth of that for drawn values: weights that have learnt before are kept near where they are


def train(
    data: Path | Index, recipe: Recipe, output: Path | None = None, reporter: Reporter | None = None
) -> RunFolder:
    """Trains a model from the weights that the recipe names, or that suit the images; anew where there are none.

    Where every stage is frozen and the network ends in one linear layer, that layer is fitted; else what is not frozen
    learns step by step.

    Args:
        data: as in `striate.training.prepare`.
        recipe: what to do.
        output: the run folder, likewise.
        reporter: likewise.

    Raises:
        UsageError: if the recipe names what is not there, or the network does not go with what is asked.
        WeightsError, ModelFileError: if the weights are not there, or not whole.
        DataError: if the data cannot be trained on, or too much of it is unreadable.
        TrainingError: if the loss is no longer a number.
    """
    index, begun = _begun(data, recipe)
    if begun.recipe.transfer.weights == NO_WEIGHTS:
        recipe = resolve_recipe(begun.recipe)
        said = (*begun.said, *without_colours(begun.recipe, recipe))
        return training.train(index, recipe, output or default_output(data, recipe), reporter, said)
    base = _base(begun.recipe)
    recipe = resolve(begun.recipe, base)
    said = (*begun.said, *base.said, *without_colours(begun.recipe, recipe))
    with prepare(index, recipe, output or default_output(data, recipe), reporter, said) as run:
        learn(run, lambda: base)
        return run.folder


def _begun(data: Path | Index, recipe: Recipe) -> tuple[Index, Beginning]:
    """The data, and the recipe with its weights settled, the same in every process."""
    with JoinedProcesses() as processes:
        if recipe.transfer.weights in (AUTO_WEIGHTS, NO_WEIGHTS):
            resolve_recipe(replace(recipe, transfer=TransferRecipe()))  # tries what it names, before the data are read
        index = processes.from_first(lambda: read_data(data, recipe))
        return index, processes.from_first(lambda: beginning(recipe, index))


def resume(path: Path, recipe: Recipe | None = None, reporter: Reporter | None = None) -> RunFolder:
    """Goes on with a run; one whose head is fitted begins anew, with the features that are cached.

    Args:
        path: the run folder.
        recipe: as in `striate.training.reopen`.
        reporter: likewise.

    Raises:
        UsageError: if `path` is no run folder, or the recipe changes what cannot be changed.
        TrainingError: if none of its checkpoints can be read.
    """
    with reopen(path, recipe, reporter) as run:
        if run.recipe.transfer.weights == NO_WEIGHTS:
            fit(run, new_network(run), images(run))
        else:
            learn(run, functools.cache(lambda: _base(run.recipe)))
        return run.folder


def plan(
    data: Path | Index, recipe: Recipe, reporter: Reporter | None = None, *, most: int = MOST
) -> tuple[Plan | Price, Index, Preprocessing]:
    """Says how much of the weights' network to keep frozen, on data that are read, checked and split as in `train`.

    A task whose head is not fitted to features gets prices alone.

    Args:
        data: as in `train`.
        recipe: what training would do.
        reporter: says how it goes; to the terminal unless given.
        most: images that are looked at; fewer where there are fewer.

    Returns:
        The plan, the index that it is of, and the preprocessing of its images.

    Raises:
        UsageError: training would start from scratch, so that there is nothing to freeze.
    """
    index, begun = _begun(data, recipe)
    if begun.recipe.transfer.weights == NO_WEIGHTS:
        why = begun.why_drawn or "`--weights none` trains from scratch."
        raise UsageError(f"`weights`: expected some of which a part may be frozen; got none. {why} Try --weights NAME.")
    base, reporter = _base(begun.recipe), reporter or Reporter()
    for sentence in begun.said:
        reporter.info(sentence)
    recipe = resolve_recipe(resolve(begun.recipe, base))
    machine, task = machine_of(recipe), task_of(index, recipe)
    index, found = checked_and_split(task.match(index), recipe, reporter)
    preprocessing = preprocessing_of(with_pixel_range(recipe, found))
    if task.head_problem(index, index.rows("train"), recipe) is None:
        given = {**recipe.network.model_args, "in_channels": preprocessing.channels}
        name, arguments = task.net(recipe.network.name, given)
        net, fits = create(name, **arguments).eval(), "masks" not in task.annotations(index)
        priced = price(index, net, preprocessing, machine, recipe, fits_to_features=fits)
        return priced, index, preprocessing
    with reporter.progress("features", min(most, len(index.rows("train"))), "images") as advance:
        planned = recommend(
            index,
            base,
            preprocessing,
            machine,
            recipe,
            most=most,
            log=reporter.info,
            advance=lambda count: advance(count, ""),
        )
    return planned, index, preprocessing


def learn(run: Run, base: Callable[[], Pretrained]) -> None:
    """Fits a head, or trains; the weights are asked for where no checkpoint holds them."""
    if run.checkpoint is None:
        started, fitted = time.perf_counter(), None
        if run.recipe.transfer.freeze == "auto":
            run, fitted = _planned(run, base())
        all_frozen = _frozen(run, base().net) == base().net.stages
        if all_frozen and (fit_parts_alone(run, base()) or fit_head_alone(run, base(), fitted, started)):
            return
    net = pretrained_network(run, base)
    if run.checkpoint is None and _begins_fitted(run, base().net):
        trial = try_bfloat16(run, net.eval())  # by the weights and a fitted head, before anything learns from them
        if trial is not None and not trial.passed:
            run = run.in_float32(asdict(trial))
            net = pretrained_network(run, base)
    scale = run.recipe.transfer.drawn_lr_scale
    fit(run, net, inputs_of(run, net), dict.fromkeys(_drawn(run, net), scale))


def pretrained_network(run: Run, base: Callable[[], Pretrained]) -> nn.Module:
    """The run's network with the weights, or those of its checkpoint, a fitted head, and its stages frozen."""
    net = drawn_network(run)
    if run.checkpoint is None:
        _take_weights(net, base(), run)
        if run.recipe.transfer.fit_head:
            _fit_head(run, net, base())
    net = placed(run, net)
    freeze(net, _frozen(run, net))
    if run.recipe.transfer.batch_norm == "keep":
        keep_statistics(net, _drawn(run, net))
    return net


def inputs_of(run: Run, net: nn.Module) -> Inputs:
    """The features of the frozen stages, unless nothing is frozen or nothing shall be cached."""
    frozen, count = _frozen(run, net), run.recipe.transfer.views
    if not frozen or count == 0 or (count is None and has_masks(run)):
        return images(run)
    return cached_features(run, net, frozen, count or VIEWS)


def fit_head_alone(run: Run, base: Pretrained, fitted: Fitted | None, started: float) -> bool:
    """Fits the head of the frozen network, unless a plan has fitted it, and leaves the run folder as training would.

    Returns:
        Whether it has a head that can be fitted; if not, nothing was done.
    """
    problem = run.task.head_problem(run.index, run.index.rows("train"), run.recipe)
    if problem is None or _why_not_fitted(base.net) is not None:
        return False
    require_no_snapshots(run)
    if fitted is None:
        run = in_suitable_precision(run, base.net, problem)
        fitted = probe(run, base.net, problem)
    net = _take_weights(create(run.network, **run.arguments), base, run).eval()
    install(net, fitted.head)
    freeze(net, _frozen(run, net))
    describe(run, net)
    head = {"strength": fitted.strength, "temperature": fitted.temperature}
    trial = close_fitted(run, net, head, cross_validated(run, fitted), started)
    return trial is None or fit_head_alone(run.in_float32(asdict(trial)), base, None, started)


def fit_parts_alone(run: Run, base: Pretrained) -> bool:
    """Fits each layer of a head of several, and leaves the run folder as training would.

    Returns:
        Whether the task has such a head; if not, nothing was done.
    """
    started = time.perf_counter()
    net = _take_weights(drawn_network(run), base, run).eval()
    found = fit_parts(run, net)
    if found is None:
        return False
    require_no_snapshots(run)
    install_parts(net, found.layers)
    freeze(net, _frozen(run, net))
    describe(run, net)
    trial = close_fitted(run, net, {"strengths": found.strengths}, found.cross_validated, started)
    return trial is None or fit_parts_alone(run.in_float32(asdict(trial)), base)


def resolve(recipe: Recipe, base: Pretrained) -> Recipe:
    """The recipe with what it leaves open taken from the weights, network, size and normalisation, and from its task.

    Raises:
        UsageError: it names another network, or stages that the network lacks.
    """
    recipe = task_kind(recipe.network.task).resolve_transfer(recipe)
    network, data, shown = recipe.network, recipe.data, base.preprocessing
    over, _ = task_kind(network.task).over(base.name, base.arguments)
    own = tuple(dict.fromkeys((base.name, over)))  # a U-Net over the weights' network may be called by either name
    if network.model and network.model not in own:
        raise UsageError(
            f"`model`: expected that of `--weights`, {' or '.join(own)}; got {network.model}. Try without it."
        )
    if network.whiten:
        raise UsageError("`whiten`: expected a network that begins with drawn values; got one of `--weights`.")
    freeze = recipe.transfer.freeze or "all"
    frozen = () if freeze == "auto" else frozen_stages(base.net, freeze)
    redrawn = redrawn_stages(base.net, recipe.transfer.redraw)
    if redrawn and (freeze == "auto" or set(redrawn).intersection(frozen)):
        raise UsageError(
            f"`redraw`: expected a stage after those that --freeze names, so that it learns; got {redrawn[0]} and "
            f"--freeze {freeze}. Try --freeze with the stage before it."
        )
    return replace(
        recipe,
        network=replace(network, model=base.name, model_args=_arguments(network.model_args, base, over)),
        data=replace(
            data,
            img_size=data.img_size or written(*shown.input_size[1:]),
            in_channels=shown.channels,
            mean=data.mean or shown.mean,
            std=data.std or shown.std,
            crop_pct=data.crop_pct or shown.crop_pct,
        ),
        training=replace(recipe.training, lr=recipe.training.lr or FINE_TUNING_LR),
        transfer=replace(recipe.transfer, freeze=freeze),
    )


def _arguments(given: Mapping[str, Any], base: Pretrained, over: str) -> dict[str, Any]:
    """The arguments of the weights' network, with those that are given for the network over it.

    Raises:
        UsageError: if the weights' network would be another one.
    """
    own = given if over == base.name else arguments_of(base.name)
    changed = {name: value for name, value in given.items() if name in own and base.arguments.get(name) != value}
    if changed:
        expected = base.arguments or "none"
        raise UsageError(f"`model_args`: expected those of `--weights`, {expected}; got {changed}. Try without it.")
    return {**base.arguments, **given}


def _base(recipe: Recipe) -> Pretrained:
    """The weights that the recipe names, in a network with the head that it asks for."""
    network = recipe.network
    channels = recipe.data.in_channels
    if network.model is None:
        return pretrained(recipe.transfer.weights).for_channels(channels).headed(recipe.transfer)
    model = encoder_name(network.model)
    arguments = {name: value for name, value in network.model_args.items() if name in arguments_of(model)}
    return pretrained(recipe.transfer.weights, model, arguments).for_channels(channels).headed(recipe.transfer)


def _frozen(run: Run, net: nn.Module) -> tuple[str, ...]:
    """The stages of a net that the recipe freezes."""
    return frozen_stages(net, run.recipe.transfer.freeze or "all")


def _planned(run: Run, base: Pretrained) -> tuple[Run, Fitted]:
    """The run with as much frozen as a head on the frozen network recommends, which its folder keeps; and that head."""
    stages_of(base)
    problem = problem_of(run.index, run.index.rows("train"), run.recipe)
    suited = in_suitable_precision(run, base.net, problem)
    fitted = probe(suited, base.net, problem)

    def seconds() -> float:
        alone = learning_seconds(run.index, base.net, run.preprocessing, run.machine, run.recipe)
        return alone / run.processes.world

    decision, sentence = run.processes.from_first(lambda: decide_by_head(run.index, run.task, problem, fitted, seconds))
    run.reporter.info(f"--freeze auto: {sentence}")
    run = suited if decision.freeze == "all" else run
    return run.with_recipe(replace(run.recipe, transfer=replace(run.recipe.transfer, freeze=decision.freeze))), fitted


def _drawn(run: Run, net: nn.Module) -> tuple[str, ...]:
    """The modules of a net that begin with drawn values.

    These are stages drawn anew, what decodes the maps of the weights' network, and a head that is not fitted first.
    """
    redrawn = redrawn_stages(net, run.recipe.transfer.redraw)
    built_over = run.network != run.recipe.network.name
    stages: tuple[str, ...] = getattr(net, "stages", ())
    decoder = tuple(stage for stage in stages if not stage.startswith(WITHIN)) if built_over else ()
    fitted = run.recipe.transfer.fit_head and not redrawn and not has_masks(run)
    return (*redrawn, *decoder, *(() if fitted else heads_of(net)))


def _take_weights(net: nn.Module, base: Pretrained, run: Run) -> nn.Module:
    """The run's net with the weights: those of a net of its kind, or of its encoder.

    What the recipe draws anew, and a head of other classes, keeps its initial values.
    """
    drawn = (*redrawn_stages(net, run.recipe.transfer.redraw), *(heads_of(net) if isinstance(net, Headed) else ()))
    own, parts = net.state_dict(), tuple(f"{part}." for part in drawn)
    given = base.net.state_dict()
    if run.network != base.name:
        within = {f"{WITHIN}{name}": value for name, value in given.items()}
        given = own | {name: value for name, value in within.items() if name in own}
    load_into(net, {k: own[k] if k.startswith(parts) else value for k, value in given.items()})
    return net


def _fit_head(run: Run, net: nn.Module, base: Pretrained) -> None:
    """Lets training begin with a head that is fitted to what the weights give for the images, where that can be."""
    problem = run.task.head_problem(run.index, run.index.rows("train"), run.recipe)
    if problem is None:
        found = None if run.recipe.transfer.redraw else fit_parts(run, net)
        if found is not None:
            install_parts(net, found.layers)
            run.reporter.info(f"the head as fitted: {run.task.line(found.cross_validated)} in cross-validation")
        return
    why_not = _why_not_fitted(base.net)
    if run.recipe.transfer.redraw:
        run.reporter.info("the head begins with drawn values, not fitted ones: so do stages before it")
    elif why_not is not None:
        run.reporter.info(f"the head begins with drawn values, not fitted ones: {why_not}")
    else:
        install(net, probe(run, base.net, problem, problem.label_smoothing).head)


def _begins_fitted(run: Run, net: nn.Module) -> bool:
    """Whether the head of the weights' net begins with fitted values."""
    if not run.recipe.transfer.fit_head or run.recipe.transfer.redraw or _why_not_fitted(net) is not None:
        return False
    return run.task.head_problem(run.index, run.index.rows("train"), run.recipe) is not None


def _why_not_fitted(net: nn.Module) -> str | None:
    """Why a head cannot be fitted to what the stages of a net give; None where it can."""
    try:
        require_head_on_vectors(net)
    except UsageError as error:
        return str(error)
    return None
