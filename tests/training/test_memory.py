from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from normed import Normed
from safetensors.torch import load_file
from torch import Tensor, nn

from striate.console import Reporter
from striate.errors import UsageError
from striate.nets import CATALOGUE
from striate.recipe import Recipe
from striate.tasks import Targets
from striate.tasks.classify import Classify, CrossEntropy
from striate.training import RunFolder, checkpoint, resume, train
from striate.training.memory import Buffers, is_out_of_memory, least_batch
from striate.training.state import Progress

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]
OUT_OF_MEMORY = (
    "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 B"
)


@pytest.fixture(autouse=True)
def normed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "normed", Normed)


def last(run: RunFolder) -> checkpoint.Checkpoint:
    return checkpoint.read(checkpoint.found(run.checkpoint)[0])


# Out of memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError(OUT_OF_MEMORY), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (MemoryError(), True),
        (RuntimeError("size mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_means_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets at most so many images learn at a time; more run out of memory once they have been through the net."""

    def limit(most: int) -> None:
        forward = CrossEntropy.forward

        def limited(self: CrossEntropy, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
            answer = forward(self, images, targets)
            if self.training and len(images) > most and not images.is_meta:
                raise RuntimeError(OUT_OF_MEMORY)
            return answer

        monkeypatch.setattr(CrossEntropy, "forward", limited)

    return limit


@pytest.mark.parametrize("values", [{}, {"mixup": 0.5, "cutmix": 0.5}])
def test_a_batch_in_parts_is_the_same_batch(
    write_pictures: WritePictures,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    small_memory: Callable[[int], None],
    values: dict[str, float],
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 20, "light": 6})
    recipe = tiny_recipe(opt="momentum", batch_size=10, class_weights="balanced", label_smoothing=0.2, **values)
    whole = train(data, recipe, tmp_path / "whole", silent)
    small_memory(3)
    parted = train(data, recipe, tmp_path / "parted", silent)
    assert last(parted).progress.part_size == 3
    assert last(whole).progress.part_size is None
    first, second = load_file(whole.model), load_file(parted.model)
    for name, value in first.items():
        assert torch.allclose(value, second[name], rtol=1e-4, atol=1e-6), name
    for a, b in zip(last(whole).progress.rows, last(parted).progress.rows, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-4)
        assert a["train_accuracy"] == b["train_accuracy"]
    log = parted.log.read_text()
    assert log.count("out of memory") == 2  # 9 or 10 at a time, then 5, and from then on 3
    assert (
        "out of memory at step 0 with 5 images at a time: from here on 3, whose gradients are added. "
        "The effective batch stays the same; batch norm sees 3."
    ) in log


def test_what_a_failed_try_did_is_undone(
    two_classes: Path,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_memory: Callable[[int], None],
) -> None:
    recipe = tiny_recipe(model="normed", model_args={}, ema_decay=0.9)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__init__", _starting_in_parts(4))
        expected = train(two_classes, recipe, tmp_path / "expected", silent)
    small_memory(4)
    found = train(two_classes, recipe, tmp_path / "found", silent)
    assert "out of memory at step 0 with 8 images" in found.log.read_text()
    assert "out of memory" not in expected.log.read_text()
    assert checkpoint.digest(last(found).tensors) == checkpoint.digest(last(expected).tensors)


def _starting_in_parts(size: int) -> Callable[..., None]:
    original = Progress.__init__

    def started(self: Progress, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **({"part_size": size} | named))

    return started


def test_a_resumed_run_keeps_to_its_parts(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, small_memory: Callable[[int], None]
) -> None:
    small_memory(4)
    run = train(two_classes, tiny_recipe(epochs=1), tmp_path / "run", silent)
    resume(run.path, tiny_recipe(epochs=2), silent)
    assert run.log.read_text().count("out of memory") == 1
    assert last(run).progress.part_size == 4


@pytest.mark.parametrize(("pooled", "least"), [(False, 1), (True, 2)])
def test_parts_are_no_smaller_than_batch_norm_can_learn_from(
    two_classes: Path,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    small_memory: Callable[[int], None],
    pooled: bool,
    least: int,
) -> None:
    small_memory(0)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        train(two_classes, tiny_recipe(model="normed", model_args={"pooled": pooled}), tmp_path / "run", silent)
    assert f"from here on {least}, whose" in (tmp_path / "run" / "log.txt").read_text()
    assert f"from here on {least - 1}, whose" not in (tmp_path / "run" / "log.txt").read_text()


def test_another_error_is_not_retried(
    two_classes: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(self: CrossEntropy, images: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        calls.append(images)
        raise RuntimeError("a bug")

    monkeypatch.setattr(CrossEntropy, "forward", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        train(two_classes, tiny_recipe(), tmp_path / "run", silent)
    assert len(calls) == 1


def test_buffers_come_back_in_place() -> None:
    net = nn.BatchNorm2d(3)
    buffers = Buffers(net)
    net(torch.rand(2, 3, 4, 4))
    buffers.keep()
    before = {name: (value.clone(), value.data_ptr()) for name, value in net.named_buffers()}
    net(torch.rand(2, 3, 4, 4))
    assert not any(torch.equal(value, before[name][0]) for name, value in net.named_buffers())
    buffers.undo()
    for name, value in net.named_buffers():
        assert torch.equal(value, before[name][0]), name
        assert value.data_ptr() == before[name][1], name


# Batches of one image


@pytest.mark.parametrize("several", [False, True])
def test_the_fewest_images_that_a_net_learns_from(several: bool) -> None:
    task = Classify(("a", "b"), several)
    assert least_batch("normed", {}, task, (1, 32, 32)) == 1
    assert least_batch("normed", {"pooled": True}, task, (1, 32, 32)) == 2
    assert least_batch("lenet5", {"num_classes": 2}, task, (1, 32, 32)) == 1
    assert least_batch("googlenet", {"num_classes": 2}, task, (3, 224, 224)) in (1, 2)  # by way of its branches


@pytest.mark.parametrize(("batch_size", "refused"), [(1, True), (2, True), (3, False), (17, False)])
def test_batches_of_one_image_are_refused_where_batch_norm_needs_two(
    write_pictures: WritePictures,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    batch_size: int,
    refused: bool,
) -> None:
    data = write_pictures(tmp_path / "data", {"dark": 9, "light": 8})
    values = {"val_fraction": 0.0, "test_fraction": 0.0, "epochs": 1, "batch_size": batch_size}
    recipe = tiny_recipe(model="normed", model_args={"pooled": True}, **values)
    if refused:
        with pytest.raises(UsageError) as caught:
            train(data, recipe, tmp_path / "run", silent)
        assert str(caught.value) == (
            "`batch_size`: expected 2 images a step or more, because normed has a batch norm over maps of one value; "
            f"got {batch_size}, at which 17 images make a step of one. Try 3 or more."
        )
    else:
        train(data, recipe, tmp_path / "run", silent)
    plain = tiny_recipe(model="normed", model_args={}, **values)
    train(data, plain, tmp_path / "plain", silent)  # maps of more values have a variance in one image too
