"""A classifier from a published network that stays as it is: features once, a head in closed form or nearly so."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate import recipe as recipes
from striate.data import Index, Preprocessing, Rows, View, read, require_trainable, split
from striate.data.loader import EvaluationView
from striate.device import choose, cores
from striate.errors import DataError
from striate.model import Model, commit
from striate.model import load as load_model
from striate.nets import create
from striate.recipe import NetworkRecipe, Recipe
from striate.tasks import Classify
from striate.transfer.features import Features, MirroredView, extract
from striate.transfer.heads import Fitted, Kind, fit
from striate.transfer.prefix import head_of, vectors
from striate.weights import find, load, load_into, published, recognised

Say = Callable[[str], None]
DEFAULT = Recipe()


@dataclass(frozen=True)
class Backbone:
    """A network with its published weights."""

    net: nn.Module
    name: str
    arguments: dict[str, Any]
    """Of the net, without classes and channels."""

    preprocessing: Preprocessing


def backbone(weights: str | Path) -> Backbone:
    """The network of published weights, or of a model file of ours.

    Args:
        weights: the name of a manifest, or a file: one that a manifest knows by its sha256, or a model file.

    Raises:
        UsageError, WeightsError, ModelFileError: it is none of these, not there, or not whole.
    """
    manifests = published()
    manifest = manifests.get(str(weights))
    path = Path(weights) if manifest is None else find(manifest)
    if manifest is None and path.is_file():
        manifest = recognised(path, manifests.values())
    if manifest is None:
        model = load_model(path, device="cpu")
        arguments = {k: v for k, v in model.arguments.items() if k not in ("num_classes", "in_channels")}
        return Backbone(model.net, model.name, arguments, model.preprocessing)
    net = create(manifest.arch, **manifest.arguments).eval()
    load(net, path)
    return Backbone(net, manifest.arch, manifest.arguments, Preprocessing.from_dict(manifest.preprocessing))


def install(net: nn.Module, head: nn.Module, input_size: tuple[int, int, int]) -> None:
    """Puts a fitted linear head into the last layer of a net, which is then a plain net of the catalogue.

    Args:
        net: changed in place.
        head: of as many features and classes as the net's own.
        input_size: channels, height and width of the images.

    Raises:
        UsageError: the net does not end in one linear layer.
    """
    net.get_submodule(head_of(net, input_size)).load_state_dict(head.state_dict())


@dataclass(frozen=True)
class Probed:
    """A model with how it came about."""

    model: Model
    fitted: Fitted
    rows: Rows
    """(N,) of the index: those of `fitted.out_of_fold`."""

    index: Index
    seconds: dict[str, float]
    """Wall time of each part."""


def probe(
    data: Path,
    weights: str | Path,
    output: Path,
    recipe: Recipe = DEFAULT,
    *,
    kind: Kind = "softmax",
    views: Callable[[Preprocessing], Sequence[View]] = lambda shown: (EvaluationView(shown), MirroredView(shown)),
    say: Say = print,
) -> Probed:
    """Fits a linear head on the features of a frozen network, and writes the whole as one model file.

    Args:
        data: see `striate.data.read`.
        weights: see `backbone`.
        output: the model file.
        recipe: its tables `data`, `training` (seed and class weights) and `machine` say what they always do.
        kind: of the head, one that is linear: softmax or ridge.
        views: what is learnt of each picture, the view of evaluation first.
        say: is told what goes on.

    Raises:
        UsageError: the network does not end in one linear layer.
        DataError: the data cannot be trained on, or too much of it is unreadable.
    """
    clock = _Clock()
    with clock.part("read"):
        index = _index(data, recipe)
    with clock.part("load"):
        machine = choose(recipe.machine.device, recipe.machine.precision, recipe.machine.memory_format)
        base = backbone(weights)
        preprocessing = _resized(base.preprocessing, recipe.data.img_size)
        head_of(base.net, preprocessing.input_size)  # before anything is computed
        prefix = vectors(base.net, base.net.stages[-1:], preprocessing.input_size)  # type: ignore[arg-type, index]

    def features(rows: Rows, view: View) -> Features:
        return extract(
            index,
            rows,
            prefix,
            preprocessing,
            machine,
            view=view,
            max_pixels=recipe.data.max_pixels,
            workers=recipe.machine.workers or cores(),
            budget=recipe.data.cache_budget,
            say=say,
        )

    with clock.part("features"):
        shown = views(preprocessing)
        first, *others = (features(index.rows("train"), view) for view in shown)
        held_out = features(index.rows("val"), shown[0])
    _require_few_unreadable(first, held_out, index, recipe, say)

    task = Classify(index.classes, index.several_labels)
    with clock.part("head"):
        fitted = fit(
            [each.vectors() for each in (first, *others)],
            torch.from_numpy(index.labels(first.rows)),
            task.outputs,
            kind=kind,
            weight=_weight(recipe, task, index),
            seed=recipe.training.seed,
        )
    with clock.part("model"):
        transfer = {"freeze": "all", "head": kind, "views": len(shown), "strength": fitted.strength}
        model = Model(
            machine.place(_with_head(base, fitted.head, task.outputs, preprocessing)),
            base.name,
            {**base.arguments, "num_classes": task.outputs, "in_channels": preprocessing.channels},
            task,
            preprocessing,
            _metrics(task, fitted.head, held_out, index),
            {
                "recipe": recipes.to_dict(replace(recipe, network=NetworkRecipe(base.name, base.arguments))),
                "seed": recipe.training.seed,
                "commit": commit(),
                "data": index.fingerprint(),
                "transfer": {"weights": str(weights), "temperature": fitted.temperature, **transfer},
            },
            machine,
        )
        output.parent.mkdir(parents=True, exist_ok=True)
        model.save(output)
    say(f"model: {output}")
    return Probed(model, fitted, first.rows, index, clock.seconds)


def _with_head(base: Backbone, head: nn.Module, classes: int, preprocessing: Preprocessing) -> nn.Module:
    """A new net of the backbone's kind and weights, which ends in the fitted head."""
    net = create(base.name, **base.arguments, num_classes=classes, in_channels=preprocessing.channels).eval()
    load_into(net, base.net.state_dict())
    install(net, head, preprocessing.input_size)
    return net


def _metrics(task: Classify, head: nn.Module, held_out: Features, index: Index) -> dict[str, float]:
    """Scores on the pictures held out, where there are any."""
    if not len(held_out):
        return {}
    return task.metrics(head(held_out.vectors()), torch.from_numpy(index.labels(held_out.rows)))


def _resized(shown: Preprocessing, size: int | None) -> Preprocessing:
    """The published preprocessing, at another size where one is given."""
    return shown if size is None else replace(shown, input_size=(shown.channels, size, size))


class _Clock:
    """Wall time of the parts of a work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Times one of them."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def _index(data: Path, recipe: Recipe) -> Index:
    columns = recipe.data
    index = read(
        data,
        path_column=columns.path_column,
        label_column=columns.label_column,
        label_separator=columns.label_separator,
    )
    index = split(
        index, val_fraction=columns.val_fraction, test_fraction=columns.test_fraction, seed=recipe.training.seed
    )
    require_trainable(index)
    return index


def _require_few_unreadable(train: Features, val: Features, index: Index, recipe: Recipe, say: Say) -> None:
    unreadable = train.unreadable | val.unreadable
    for row, reason in sorted(unreadable.items()):
        say(f"left out: {index.paths([row])[0]}: {reason}")
    share = len(unreadable) / (len(unreadable) + len(train) + len(val))
    if share > recipe.data.max_bad:
        raise DataError(
            f"data: expected at most {recipe.data.max_bad:.1%} of the pictures to be unreadable; got {share:.1%}. "
            "Mend or remove them, or raise --max-bad."
        )


def _weight(recipe: Recipe, task: Classify, index: Index) -> Tensor | None:
    if recipe.training.class_weights == "none":
        return None
    return task.balanced_weight(list(index.counts("train").values()), len(index.rows("train")))
