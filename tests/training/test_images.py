"""Images as the inputs of a run: what the tests of the loop and the step do not see."""

from collections.abc import Callable
from pathlib import Path

import torch

from striate.console import Reporter
from striate.data import read, split
from striate.data.preprocessing import Preprocessing
from striate.device import choose
from striate.nets import create
from striate.recipe import Recipe
from striate.tasks import Targets
from striate.tasks.classify import Classify
from striate.training import RunFolder
from striate.training.images import images
from striate.training.resolve import resolve
from striate.training.run import Run


def test_inputs_are_a_function_of_epoch_and_step(
    two_classes: Path, tiny_recipe: Callable[..., Recipe], silent: Reporter, tmp_path: Path
) -> None:
    recipe = resolve(tiny_recipe(noise=0.1, mixup=0.5))
    index = split(read(two_classes), val_fraction=0.25, test_fraction=0.0, seed=0)
    shown, machine = Preprocessing((1, 32, 32), (0.5,), (0.5,)), choose("cpu", "float32")
    folder, task = RunFolder.create(tmp_path / "run"), Classify(index.classes)
    run = Run(recipe, index, task, shown, machine, 1, folder, silent, "lenet5", {})
    source, order = images(run), [index.rows("train")[:4], index.rows("train")[4:8]]

    def inputs(epoch: int, start: int) -> list[tuple[torch.Tensor, Targets]]:
        found = source.batches(order, epoch, start)
        return [source.transform(batch, task.targets(index, batch, shown), epoch) for batch in found]

    first, again, other = inputs(0, 0), inputs(0, 1), inputs(1, 0)
    assert (len(first), len(again)) == (2, 1)
    assert torch.equal(first[1][0], again[0][0])
    assert torch.equal(first[1][1]["label"], again[0][1]["label"])
    assert not torch.equal(first[0][0], other[0][0])
    assert first[0][1]["label"].shape == (4, 2)  # shares of a mix
    net = create("lenet5", num_classes=2)
    assert source.learner(net) is net
    assert source.blank(3).shape == (3, 1, 32, 32)
