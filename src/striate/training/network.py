"""The network of a run: drawn, or given other values, and put where it learns."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from striate.data import IndexedImages, Loader, batches
from striate.device import keep_memory
from striate.nets import create
from striate.tasks import Objective, to_device
from striate.training import checkpoint
from striate.training.determinism import slowdown
from striate.training.inputs import Inputs
from striate.training.memory import require_two_a_step
from striate.training.run import Run
from striate.training.sync_batch_norm import synchronise
from striate.training.whiten import whiten

SAMPLE = 500  # images by which a first convolution learns to whiten


def new_network(run: Run) -> nn.Module:
    """The network that a run begins with from scratch, or goes on with."""
    net = drawn_network(run)
    if run.recipe.network.whiten:  # when resuming too: a checkpoint has the values, but not that they are frozen
        whiten(net, _sample(run))
    return placed(run, net)


def drawn_network(run: Run) -> nn.Module:
    """The run's network with values drawn from its seed.

    Raises:
        UsageError: if its batches are too small for it.
    """
    require_two_a_step(run)
    torch.manual_seed(run.recipe.training.seed)
    return create(run.network, **run.arguments)


def placed(run: Run, net: nn.Module) -> nn.Module:
    """The network where it learns, with the same values in every process; a checkpoint's where there is one."""
    net = run.machine.place(net)
    run.processes.share(net)
    if run.recipe.training.sync_batch_norm and run.processes.world > 1:
        synchronise(net, run.processes)
    if run.checkpoint is not None:
        checkpoint.restore_net(run.checkpoint, net)
    return net


def objective_of(run: Run, net: nn.Module, inputs: Inputs) -> Objective:
    """The task's loss on what learns of a network, compiled where the recipe asks for it."""
    recipe, machine, reporter = run.recipe, run.machine, run.reporter
    objective = machine.place(run.task.objective(inputs.learner(net), recipe, run.index))
    if recipe.machine.compile:
        objective.compile(dynamic=False, options={"fallback_random": True})  # dropout draws as it does without
        reporter.info("compiled: the first step of each batch size takes a minute or more")
    if recipe.machine.deterministic and machine.device.type != "cpu":  # a CPU is so at no cost
        blank = inputs.blank(min(recipe.training.images_a_step, len(run.index.rows("train"))))
        targets = to_device(run.task.blank_targets(len(blank), run.preprocessing.input_size), machine.device)
        times = slowdown(machine, objective, blank, targets)
        reporter.info(f"deterministic: a pass forward and back takes {times:.2f} times as long")
    return objective


def describe(run: Run, net: nn.Module) -> None:
    """Says what learns from what, and where, in two lines."""
    parameters, learning = (
        sum(p.numel() for p in some) for some in (net.parameters(), filter(lambda p: p.requires_grad, net.parameters()))
    )
    some = f", of which {learning:,} learn" if learning < parameters else ""
    splits = ", ".join(f"{len(run.index.rows(name)):,} {name}" for name in ("train", "val", "test"))
    number = len(run.task.classes)
    classes = "1 class" if number == 1 else f"{number:,} classes"
    run.reporter.info(f"{run.network}: {parameters:,} parameters{some}, {classes}; images: {splits}")
    memory = ", freed memory is kept" if run.recipe.machine.keep_memory and keep_memory() else ""
    count = torch.get_num_threads()
    threads = f"{count} {'thread' if count == 1 else 'threads'} of arithmetic, {run.workers} of decoding"
    run.reporter.info(f"{run.machine}; {threads}{memory}")


def _sample(run: Run) -> Iterator[Tensor]:
    """Training images spread evenly, as evaluation sees them: small batches (N, C, H, W)."""
    rows = run.index.rows("train")
    some = rows[:: math.ceil(len(rows) / SAMPLE)]
    images = IndexedImages(run.index, run.recipe.data.max_pixels)
    for batch in Loader(images, batches(some, 8), run.preprocessing):
        yield run.preprocessing.normalise(batch.images)
