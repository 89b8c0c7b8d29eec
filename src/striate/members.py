"""Training several models that answer together: one recipe, one split, several seeds."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from striate import transfer
from striate.console import Reporter
from striate.data import Index
from striate.data.index_file import load_index
from striate.ensemble import combined
from striate.errors import UsageError
from striate.evaluation import evaluate
from striate.evaluation.gain import gain
from striate.evaluation.temperature import calibrated
from striate.model import Model, load
from striate.recipe import Recipe
from striate.training import RunFolder
from striate.training.prepare import default_output


def train(
    data: Path | Index, recipe: Recipe, output: Path | None = None, reporter: Reporter | None = None
) -> RunFolder:
    """Trains models that differ in their seed, on one split, and combines them into the model of a run folder.

    Args:
        data: as in `striate.transfer.train`.
        recipe: with the number of members; the first has its seed.
        output: the run folder, in which each member has one of its own, in `members`.
        reporter: as in `striate.transfer.train`.

    Raises:
        UsageError: also if their heads are fitted in one step, so that they hardly differ.
    """
    count, training = recipe.training.members, recipe.training
    folder = RunFolder.create(output or default_output(data, recipe))
    folder.members.mkdir()
    split = replace(recipe.data, split_seed=recipe.split_seed)
    models: list[Model] = []
    for number in range(count):
        own = replace(recipe, data=split, training=replace(training, members=1, seed=training.seed + number))
        run = transfer.train(data, own, folder.members / str(number + 1), reporter)
        models.append(load(run.model))
        if models[0].about.get("head"):
            raise UsageError(
                "`members`: expected a network that learns in epochs; got one whose head is fitted in one step. "
                "Try --freeze none."
            )
    first = RunFolder(folder.members / "1")
    folder.write_recipe(replace(first.read_recipe(), training=replace(first.read_recipe().training, members=count)))
    for name in ("index.parquet", "check.csv"):
        shutil.copyfile(first.path / name, folder.path / name)
    together, said = _scored_on_val(combined(models), models, load_index(first.index))
    together.save(folder.model)
    for line in (*said, f"model: {folder.model}, an ensemble of {count} members"):
        (reporter or Reporter()).info(line)
    return folder


def _scored_on_val(together: Model, members: Sequence[Model], index: Index) -> tuple[Model, list[str]]:
    """An ensemble with its temperature and scores on val, and what it gains there over its members."""
    rows = index.rows("val")
    if not len(rows):
        return together, []
    together = calibrated(together, index, rows)
    scored = evaluate(together, index, "val")
    found = gain(scored, [evaluate(each, index, "val") for each in members], "the mean of its members")
    said = (
        f"val: {together.task.line(scored.metrics)}; over {found.over} {found.score:+z.4f}, "
        f"for {found.times:.1f} times the time"
    )
    return replace(together, metrics=scored.metrics), [said]
