"""A head of several linear layers on a network that stays as it is, each fitted in closed form or nearly so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.data import Batch, Rows
from striate.features.boxes import boxes_shown, has_masks
from striate.features.cached import Learner, packed
from striate.features.extraction import Features
from striate.features.heads import fit
from striate.features.values import fit_values
from striate.features.views import features_of, views
from striate.graph.parts import cut
from striate.nets import heads_of
from striate.tasks import HeadProblem, ValueProblem
from striate.training.run import Run

VECTORS = 256  # images whose features go through the head at a time


@dataclass(frozen=True)
class FittedParts:
    """The layers of a head, with how well they answer."""

    layers: dict[str, nn.Module]
    """By name within the head."""

    strengths: dict[str, float]
    """The penalty that was chosen for each."""

    cross_validated: dict[str, float]
    """Scores of the training images, each by layers that had not seen it."""


def fit_parts(run: Run, net: nn.Module) -> FittedParts | None:
    """Fits each layer of a net's head to what the stages give of the training images, all of them frozen.

    Args:
        run: its task says what each layer is fitted to, its recipe how.
        net: with the values of its stages; it stays as it is.

    Returns:
        None where the task fits no such layers.

    Raises:
        DataError: there are fewer than two images, or one can no longer be read.
    """
    if has_masks(run):
        return None
    rows, shown = run.index.rows("train"), views(run, run.recipe.transfer.views or 2)
    batches = [Batch(torch.empty(0), rows, boxes=_tensor(boxes_shown(run, rows, view))) for view in shown]
    targets = [run.task.targets(run.index, batch, run.preprocessing) for batch in batches]
    problems = run.task.head_parts(run.index, rows, run.recipe, targets)
    if not problems:
        return None
    net = net.eval()
    stages: tuple[str, ...] = net.stages  # type: ignore[assignment]
    parts = cut(net, stages, run.preprocessing.input_size)
    features = features_of(run, rows, parts.prefix, shown, "train")
    learner, head = Learner(parts, run.machine).eval(), net.get_submodule(heads_of(net)[0])
    seen = [_seen(learner, head, problems, each) for each in features]
    layers: dict[str, nn.Module] = {}
    strengths, held_out = {}, {}
    for name, problem in problems.items():
        layers[name], strengths[name], held_out[name] = _fitted(run, problem, [each[name] for each in seen])
    outputs = _answered(learner, head, held_out, features[0])
    records = run.task.observe(outputs, run.index, batches[0], run.preprocessing)
    return FittedParts(layers, strengths, run.task.metrics(records))


def install_parts(net: nn.Module, layers: Mapping[str, nn.Module]) -> None:
    """Gives the layers of a net's head the values of fitted ones."""
    head = net.get_submodule(heads_of(net)[0])
    for name, layer in layers.items():
        head.get_submodule(name).load_state_dict(layer.state_dict())


def _fitted(
    run: Run, problem: HeadProblem | ValueProblem, vectors: Sequence[Tensor]
) -> tuple[nn.Module, float, Tensor]:
    """A layer, the strength of its penalty, and what it answers out of fold (N, K)."""
    seed = run.recipe.training.seed
    if isinstance(problem, ValueProblem):
        found = fit_values(vectors, problem.values, seed=seed)
        return found.layer, found.strength, found.out_of_fold
    classes, smoothing = len(run.task.classes), problem.label_smoothing
    fitted = fit(
        vectors,
        problem.labels,
        classes,
        weight=problem.class_weight,
        smoothing=smoothing,
        seed=seed,
        precision=run.machine.precision,
    )
    return fitted.head, fitted.strength, fitted.out_of_fold


@torch.inference_mode()
def _seen(learner: nn.Module, head: nn.Module, names: Mapping[str, Any], features: Features) -> dict[str, Tensor]:
    """(N, D) what each layer of the head is given, by its name."""
    given: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        return lambda _module, inputs: given[name].append(inputs[0].float().cpu())

    hooks = [head.get_submodule(name).register_forward_pre_hook(keep(name)) for name in names]
    try:
        for which in _parts(len(features)):
            learner(packed(features, which).float())
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(values) for name, values in given.items()}


@torch.inference_mode()
def _answered(learner: nn.Module, head: nn.Module, answers: Mapping[str, Tensor], features: Features) -> Tensor:
    """(N, outputs) what the head gives where its layers answer so."""
    outputs = []
    for which in _parts(len(features)):
        with _answering(head, {name: values[torch.from_numpy(which)] for name, values in answers.items()}):
            outputs.append(learner(packed(features, which).float()).float().cpu())
    return torch.cat(outputs)


@contextmanager
def _answering(head: nn.Module, answers: Mapping[str, Tensor]) -> Iterator[None]:
    def answer(values: Tensor) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        return lambda _module, _inputs, output: values.to(output)

    hooks = [head.get_submodule(name).register_forward_hook(answer(values)) for name, values in answers.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _parts(count: int) -> Iterator[Rows]:
    for start in range(0, count, VECTORS):
        yield np.arange(start, min(start + VECTORS, count))


def _tensor(boxes: np.ndarray[Any, np.dtype[np.float32]] | None) -> Tensor | None:
    return None if boxes is None else torch.from_numpy(boxes)
