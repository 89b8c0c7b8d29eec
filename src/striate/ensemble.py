"""Ensembles: several models as one, in one file, that answers with the mean of their probabilities."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import torch

from striate.errors import UsageError
from striate.files import list_names
from striate.model import Model
from striate.tasks import task_from_dict
from striate.tasks.ensemble import NAME, Ensemble

FEWEST, MOST = 2, 15
OF_THE_DATA = ("recipe", "seed", "data")  # what evaluation takes from a model file, to split data as training did


def combined(models: Sequence[Model]) -> Model:
    """An ensemble of models of the same task and classes, of any networks and sizes of images.

    A member that is an ensemble itself counts as its members.

    Args:
        models: 2 to 15, on one device.

    Raises:
        UsageError: if they are too few or too many, do not answer the same, or have the same weights.
    """
    members = [member for model in models for member in members_of(model) or [model]]
    if not FEWEST <= len(members) <= MOST:
        raise UsageError(f"ensemble: expected {FEWEST} to {MOST} models; got {len(members)}.")
    first = members[0]
    untempered = {key: value for key, value in first.task.to_dict().items() if key != "temperature"}
    for each in members:
        if each.classes != first.classes:
            got = list_names(sorted(set(each.classes) ^ set(first.classes)) or each.classes)
            raise UsageError(f"ensemble: expected models with the same classes in one order; they differ in {got}.")
        if {key: value for key, value in each.task.to_dict().items() if key != "temperature"} != untempered:
            raise UsageError(
                f"ensemble: expected models of one task; got {untempered['name']} and {each.task.to_dict()['name']}, "
                "or one with other options."
            )
    _refuse_twins(members)
    task = task_from_dict(first.classes, untempered)
    net = Ensemble(
        [each.net for each in members],
        task,
        [each.task.temperature for each in members],
        [each.preprocessing for each in members],
    )
    about = {"members": [_told(each) for each in members]} | (_of_the_data(members) or {})
    return Model(net.eval(), NAME, {}, task, net.preprocessing, about=about, machine=first.machine)


def members_of(model: Model) -> list[Model]:
    """The models that an ensemble is made of; none of a model that is no ensemble."""
    if not isinstance(model.net, Ensemble):
        return []
    origin = {key: model.about[key] for key in OF_THE_DATA if key in model.about}
    members = []
    for net, shown, told in zip(model.net.members, model.net.shown, model.about["members"], strict=True):
        task = task_from_dict(model.classes, {**model.task.to_dict(), "temperature": told["temperature"]})
        made = told["net"]
        members.append(
            Model(net, made["name"], made["arguments"], task, shown, told["metrics"], dict(origin), model.machine)
        )
    return members


def share_held_out(models: Sequence[Model]) -> bool:
    """Whether images that were held out from one model's training were held out from that of all."""
    return _of_the_data(models) is not None


def _refuse_twins(members: Sequence[Model]) -> None:
    """Refuses a member that is there twice: it would count double, and add nothing."""
    for (first, one), (second, other) in combinations(enumerate(members, 1), 2):
        if one.preprocessing == other.preprocessing and _same_weights(one, other):
            raise UsageError(
                f"ensemble: expected models that differ; got the same network twice, as members {first} and {second}. "
                "Try models that were trained from other seeds, as by `striate train --members 5`."
            )


def _same_weights(one: Model, other: Model) -> bool:
    if (one.name, one.arguments) != (other.name, other.arguments):
        return False
    a, b = one.net.state_dict(), other.net.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _told(model: Model) -> dict[str, Any]:
    """What the file of an ensemble says of a member."""
    return {
        "net": {"name": model.name, "arguments": model.arguments},
        "preprocessing": asdict(model.preprocessing),
        "temperature": model.task.temperature,
        "metrics": model.metrics,
        "seed": model.about.get("seed", 0),
    }


def _of_the_data(members: Sequence[Model]) -> dict[str, Any] | None:
    """What all members' files say of their data and how it was split; None where they do not say the same."""
    first = {key: members[0].about.get(key) for key in OF_THE_DATA}
    splits = [_split(member) for member in members]
    return first if all(split == splits[0] for split in splits) and first["data"] is not None else None


def _split(model: Model) -> tuple[Any, ...]:
    """What decides which images of which data a model learnt from."""
    data = model.about.get("recipe", {}).get("data") or {}
    seed = data.get("split_seed")
    return (
        model.about.get("data"),
        data.get("val_fraction"),
        data.get("test_fraction"),
        model.about.get("seed") if seed is None else seed,
    )
