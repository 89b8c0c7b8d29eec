from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import striate
from striate.console import Reporter
from striate.ensemble import members_of
from striate.errors import UsageError
from striate.model import load
from striate.recipe import Recipe
from striate.training import train
from striate.training.schedule import lr_at

MakeRecipe = Callable[..., Recipe]


def test_the_learning_rate_falls_as_often_as_there_are_snapshots(tiny_recipe: MakeRecipe) -> None:
    training = tiny_recipe(epochs=6, snapshots=3, lr=1.0, warmup_epochs=1).training
    rates = [lr_at(training, step, 4) for step in range(24)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == rates[8] == rates[16] == 1.0
    assert rates[8:16] == pytest.approx(rates[16:])
    assert rates[15] < 0.1 > rates[23]
    assert all(first > second for first, second in pairwise(rates[8:16]))


def test_snapshots_answer_together(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = train(two_classes, tiny_recipe(epochs=4, snapshots=2), tmp_path / "run", silent)
    model = load(run.model, device="cpu", precision="float32")
    parts = members_of(model)
    assert len(parts) == 2
    for number, part in enumerate(parts, 1):
        alone = load(run.snapshots / f"{number}.safetensors", device="cpu", precision="float32")
        for name, value in part.net.state_dict().items():
            assert value.equal(alone.net.state_dict()[name])
    assert model.metrics


def test_snapshots_must_divide_the_epochs(tiny_recipe: MakeRecipe) -> None:
    with pytest.raises(
        UsageError, match="`snapshots`: expected a divisor of the epochs, with the cosine schedule; got 3"
    ):
        tiny_recipe(epochs=4, snapshots=3)


def test_members_learn_from_one_split_with_their_own_seeds(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path
) -> None:
    run = striate.train(
        two_classes, tiny_recipe(epochs=1, members=2, seed=3), output=tmp_path / "run", reporter=silent, report=False
    )
    model = load(run.model, device="cpu", precision="float32")
    parts = members_of(model)
    assert model.metrics
    assert [told["seed"] for told in model.about["members"]] == [3, 4]
    states = [next(iter(part.net.state_dict().values())) for part in parts]
    assert not states[0].equal(states[1])
    tables = [(run.members / name / "index.parquet").read_bytes() for name in ("1", "2")]
    assert tables[0] == tables[1]
    assert striate.evaluate(model, two_classes, workers=1).split == "test"
    with pytest.raises(UsageError, match="expected the folder of one model's run; got that of several"):
        striate.resume(run.path)
