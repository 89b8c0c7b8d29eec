"""What each choice of `--freeze` would cost here: seconds, memory and disk.

Multiplications and activations are counted; a few images are decoded, run and trained on, which gives seconds a
image. What lies between is in proportion to multiplications. They are not all equally fast, so the proportion is
held against what the later half of a step takes, and how far it is off is part of the answer.
"""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from striate.data import Index, IndexedImages, Loader, Preprocessing, Rows, batches
from striate.device import Machine
from striate.features.store import GB
from striate.graph.memory import CountedParts
from striate.graph.meta import skeleton
from striate.graph.op_rules import tensors_in
from striate.graph.parts import learning_module, remainder, vectors
from striate.graph.runtime import Extractor, extractor
from striate.graph.symbolic import ForwardGraph
from striate.processors import cores
from striate.recipe import Recipe
from striate.training.weight_gradients import bfloat16_backward

SAMPLE = 16  # images that are timed
STEPPED = 4  # of these, that a processor trains on; a device that does many at once trains on all
TIMES = 2  # that it is timed: the first asks for memory, and makes the kernels
LONG_S = 2.0  # of what is timed: beside so long, what the first time does once is little
STORED_BYTES = 2  # of a kept value
TRAINED_BYTES = 12  # of a parameter that learns, beside itself: its gradient and AdamW's two averages
HEAD_VIEWS, STAGE_VIEWS = 2, 8  # of each image that are kept, as `--views` says, unless given


@dataclass(frozen=True)
class Choice:
    """A value of `--freeze` and what it would cost."""

    freeze: str
    views: int
    """How many views of each image are cached, as `--views` says; 0 where they would not fit on the disk, or nothing is
    frozen."""

    seconds: float
    """From a cold cache to the model, reading and evaluation aside."""

    memory_bytes: int
    """The memory of what learns: activations of a batch, gradients and the optimiser's averages."""

    disk_bytes: int
    """The size of cached features."""


@dataclass(frozen=True)
class Rates:
    """Seconds an image, measured here."""

    decode: float
    forward: float
    """The whole network as it is run while frozen."""

    step: float
    """Forward and backward, the whole network learning."""

    error: float
    """By what factor the later half of a step takes longer or shorter than its multiplications say; at least 1."""

    head: float
    """To fit a head, cross-validated."""


@dataclass(frozen=True)
class Learning:
    """The part of a network that learns, counted."""

    macs: int
    """Multiplications of an image, forward."""

    kept_bytes: int
    """What an image leaves for the backward pass, in float32."""

    parameters: int
    values: int
    """How many values of an image it takes from the frozen part."""


def counted(net: nn.Module, stages: Sequence[str], input_size: tuple[int, int, int]) -> tuple[Learning, ...]:
    """Counts what learns by how many of the stages are frozen, from none to all.

    It is exact, with no arithmetic done and no memory taken. All operations run by shape alone, once for all stages;
    what is frozen is left out of the sum, but for the values that cross from there.

    Args:
        net: it stays as it is.
        stages: of the net, that can be frozen.
        input_size: channels, height and width of the images.

    Raises:
        UsageError: the net cannot be followed.
    """
    bare = skeleton(net).train()
    whole = ForwardGraph(bare, input_size)
    taken = remainder(whole, ()).crossing.values()
    parts = CountedParts(
        bare, learning_module(whole), lambda count: [value.new_empty(count, *value.shape[1:]) for value in taken]
    )
    return tuple(_learning(whole, stages[:number], parts) for number in range(len(stages) + 1))


def _learning(whole: ForwardGraph, frozen: Sequence[str], parts: CountedParts) -> Learning:
    """What is not frozen of a net on the meta device."""
    rest = remainder(whole, frozen)
    cost = parts.cost(rest.operations, rest.learning, [*rest.crossing, "output"])
    held = {id(parameter) for stage in frozen for parameter in whole.net.get_submodule(stage).parameters()}
    return Learning(
        macs=cost.macs,
        kept_bytes=cost.kept_bytes,
        parameters=sum(parameter.numel() for parameter in whole.net.parameters() if id(parameter) not in held),
        values=sum(value[0].numel() for value in rest.crossing.values()),
    )


def choices(
    stages: Sequence[str],
    parts: Sequence[Learning],
    rates: Rates,
    recipe: Recipe,
    images: int,
    *,
    head_is_fitted: bool = True,
) -> tuple[Choice, ...]:
    """From all frozen to none.

    Args:
        stages: of a net.
        parts: of the net, as `counted` gives them.
        rates: as `measured` gives them.
        recipe: its epochs, batch size, views and cache budget.
        images: to train on.
        head_is_fitted: whether, where all is frozen, what is left is fitted rather than trained.
    """
    names = ["none", *stages[:-1], "all"]
    found = [
        _choice(name, part, parts[0], rates, recipe, images, fitted=head_is_fitted and name == "all")
        for name, part in zip(names, parts, strict=True)
    ]
    return tuple(reversed(found))


def _choice(
    name: str, part: Learning, whole: Learning, rates: Rates, recipe: Recipe, images: int, *, fitted: bool
) -> Choice:
    share, training = part.macs / whole.macs, recipe.training
    view_bytes = STORED_BYTES * part.values * images
    views = _views(name, view_bytes, recipe, fitted=fitted)
    passes = views or training.epochs
    seconds = passes * (rates.decode + rates.forward * (1 - share)) + rates.head
    if not fitted:
        seconds += training.epochs * rates.step * share
    return Choice(
        freeze=name,
        views=views,
        seconds=seconds * images,
        memory_bytes=part.kept_bytes * min(training.images_a_step, images) + TRAINED_BYTES * part.parameters,
        disk_bytes=views * view_bytes,
    )


def _views(name: str, view_bytes: int, recipe: Recipe, *, fitted: bool) -> int:
    """How many views of each image are kept."""
    given = recipe.transfer.views
    if fitted:
        return given or HEAD_VIEWS
    wanted = STAGE_VIEWS if given is None else given
    return wanted if name != "none" and wanted * view_bytes <= recipe.data.cache_budget * GB else 0


def measured(
    index: Index,
    rows: Rows,
    net: nn.Module,
    stages: Sequence[str],
    parts: Sequence[Learning],
    preprocessing: Preprocessing,
    machine: Machine,
    recipe: Recipe,
    *,
    forward: float | None = None,
    frozen: Extractor | None = None,
    head: float = 0.0,
) -> Rates:
    """Seconds an image of what training does, on a few images.

    Args:
        index: of the images.
        rows: (N,) of the index, readable.
        net: it stays as it is.
        stages: of the net, that can be frozen.
        parts: of the net, as `counted` gives them.
        preprocessing: of the images.
        machine: that it will be done on.
        recipe: says how many threads decode.
        forward: as `Rates` keeps it, where it is known; measured here unless given.
        frozen: runs all stages frozen, where that is at hand.
        head: as `Rates` keeps it.
    """
    started = time.perf_counter()
    images = _decoded(index, rows[:SAMPLE], preprocessing, recipe)
    decode = (time.perf_counter() - started) / len(images)
    if forward is None:
        run = frozen or extractor(vectors(net, stages, preprocessing.input_size), machine)
        forward = _seconds(lambda: run(images), machine) / len(images)
    half = len(stages) // 2
    middle = stages[half - 1] if half else None
    step, behind = _step_seconds(machine.place(copy.deepcopy(net)).train(), images, machine, middle)
    factor = behind / (step * parts[half].macs / parts[0].macs)
    return Rates(decode, forward, step, max(factor, 1 / factor), head)


def learning_seconds(
    index: Index, net: nn.Module, preprocessing: Preprocessing, machine: Machine, recipe: Recipe
) -> float:
    """Seconds that training all of a network would take, evaluation aside, by one step on a few images.

    Args:
        index: split; its training images are trained on.
        net: it stays as it is.
        preprocessing: of the images.
        machine: that it will be done on.
        recipe: its epochs, and how many threads decode.
    """
    rows = index.rows("train")
    started = time.perf_counter()
    images = _decoded(index, rows[:SAMPLE], preprocessing, recipe)
    decode = (time.perf_counter() - started) / len(images)
    step, _ = _step_seconds(machine.place(copy.deepcopy(net)).train(), images, machine)
    return (decode + step) * len(rows) * recipe.training.epochs


def _decoded(index: Index, rows: Rows, preprocessing: Preprocessing, recipe: Recipe) -> Tensor:
    """Normalised images (N, C, H, W) of the rows."""
    images = IndexedImages(index, recipe.data.max_pixels)
    workers = recipe.machine.workers or cores()
    loader = Loader(images, batches(rows, len(rows)), preprocessing, workers=workers)
    return torch.cat([preprocessing.normalise(batch.images) for batch in loader])


def _step_seconds(net: nn.Module, images: Tensor, machine: Machine, middle: str | None = None) -> tuple[float, float]:
    """An image, of forward and backward through a net that may be changed, and of what of it lies behind a stage.

    All of it lies behind None. The gradient of what the stage gives is taken too, which a step that begins there is
    spared; such a step would have to be cut and run by itself.
    """
    images = machine.images(images[:STEPPED] if machine.device.type == "cpu" else images)
    faster = bfloat16_backward(net, machine)
    moments: list[float] = []  # when the middle is left, and when the backward pass is back there

    def note(*_: Any) -> None:
        moments.append(_now(machine))

    def leave(_module: nn.Module, _inputs: Any, output: Any) -> None:
        note()
        next(iter(tensors_in(output))).register_hook(note)

    def step() -> None:
        moments.clear()
        with machine.autocast():
            outputs = net(images)
        loss = outputs.float().logsumexp(dim=1).mean()  # of any outputs: what a loss takes is next to nothing
        with faster:
            loss.backward()

    if middle is None:
        seconds = _seconds(step, machine)
        return seconds / len(images), seconds / len(images)
    net.get_submodule(middle).register_forward_hook(leave)
    seconds = _seconds(step, machine)
    left, back = moments
    return seconds / len(images), (back - left) / len(images)


def _seconds(work: Callable[[], object], machine: Machine) -> float:
    """The last time of a few, which takes no more than it must, unless one before has taken long.

    More times would cost more than planning saves.
    """
    for _ in range(TIMES):
        started = _now(machine)
        work()
        seconds = _now(machine) - started
        if seconds > LONG_S:
            break
    return seconds


def _now(machine: Machine) -> float:
    """Seconds of a clock, when all that was asked of a device is done."""
    if machine.device.type == "cuda":
        torch.cuda.synchronize(machine.device)
    return time.perf_counter()
