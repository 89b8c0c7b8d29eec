import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from killed import stopping
from process_child import Job, Normed, launch
from safetensors.torch import load_file
from torch import Tensor, nn

from striate.cli.app import verdict
from striate.console import Reporter
from striate.data import Preprocessing, build
from striate.device import Machine
from striate.errors import UsageError
from striate.nets import CATALOGUE
from striate.recipe import Recipe, dumps, from_dict
from striate.tasks.classify import Classify
from striate.training import RunFolder, checkpoint, loop, resume, train
from striate.training.accumulate import Step
from striate.training.folder import TIMED
from striate.training.inputs import Inputs
from striate.training.memory import require_two_a_step
from striate.training.process_group import ALONE, JoinedProcesses, Processes, ToldError
from striate.training.run import Run
from striate.training.signals import Interrupted
from striate.training.state import State

MakeRecipe = Callable[..., Recipe]
WritePictures = Callable[[Path, Mapping[str, int]], Path]

# Batches of 6 and 5, so that shares differ; mixed pairs; classes that weigh differently.
PLAIN = {"opt": "momentum", "batch_size": 6, "class_weights": "balanced", "mixup": 0.4, "ema_decay": 0.9, "epochs": 2}
NORMED = {"model": "normed", "model_args": {}, "opt": "momentum", "lr": 0.05, "batch_size": 6, "epochs": 2}
SYNCED = NORMED | {"sync_batch_norm": True, "pixel_cache": "on"}
HARD = {"model": "small", "model_args": {}, "opt": "adamw", "batch_size": 6, "ema_decay": 0.9, "clip_grad": 1.0}
HARD |= {"augment": "medium", "mixup": 0.2, "epochs": 3, "checkpoint_every": 1e-6}  # batch norm, dropout and the rest


@pytest.fixture(autouse=True, scope="module")
def normed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CATALOGUE, "normed", Normed)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, write_pictures: WritePictures) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data"), {"dark": 20, "light": 7})


class Pooled(Normed):
    """Batch norm over maps of one value."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.bn(self.conv(x).mean(dim=(2, 3), keepdim=True)).flatten(1))
        return logits


@dataclass(frozen=True)
class Launcher:
    """Trains with two processes."""

    room: Path
    data: Path
    recipe: MakeRecipe

    def words(self, name: str, values: Mapping[str, object]) -> list[str]:
        """The command line of a run in a folder of this name."""
        path = self.room / f"{name}.toml"
        path.write_text(dumps(self.recipe(**values)))
        return ["train", str(self.data), "--recipe", str(path), "-o", str(self.room / name)]

    def folder(self, name: str) -> RunFolder:
        return RunFolder(self.room / name)

    def launch(self, job: Job) -> tuple[int, str]:
        return launch(job, self.room)


@pytest.fixture
def launcher(tmp_path: Path, data: Path, tiny_recipe: MakeRecipe) -> Launcher:
    return Launcher(tmp_path, data, tiny_recipe)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, data: Path, tiny_recipe: MakeRecipe) -> Launcher:
    """What two processes make of three recipes, and of the first once more."""
    launcher = Launcher(tmp_path_factory.mktemp("two"), data, tiny_recipe)
    runs = {"plain": PLAIN, "normed": NORMED, "synced": SYNCED, "again": PLAIN}
    lines = [launcher.words(name, values) for name, values in runs.items()]
    stopped = launcher.folder("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "take_step", stopping(loop.take_step, after=5))
        with pytest.raises(Interrupted):
            train(data, tiny_recipe(**PLAIN), stopped.path, Reporter.silent())
    code, said = launcher.launch(Job([*lines, ["train", "--resume", str(stopped.path)]]))
    assert code == 0, said
    return launcher


def samples(run: RunFolder, ranks: int = 2) -> dict[int, list[int]]:
    """The rows of each step, those of all ranks joined."""
    joined: dict[int, list[int]] = {}
    for rank in range(ranks):
        for line in (run.path / f"samples.{rank}").read_text().splitlines():
            step, rows = json.loads(line)
            joined.setdefault(step, []).extend(rows)
    return joined


def last(run: RunFolder) -> checkpoint.Checkpoint:
    return checkpoint.read(checkpoint.found(run.checkpoint)[0])


def digest(run: RunFolder) -> str:
    """Of all that a checkpoint holds and of the best model."""
    return checkpoint.digest(last(run).tensors | load_file(run.model))


def metrics(run: RunFolder) -> list[dict[str, float]]:
    with run.metrics.open(newline="") as file:
        rows = csv.DictReader(file)
        return [{name: float(value) for name, value in row.items() if name not in TIMED} for row in rows]


def assert_close(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.allclose(value.double(), b[name].double(), rtol=1e-3, atol=1e-5), name


# Two processes are one


@pytest.mark.parametrize(("name", "values"), [("plain", PLAIN), ("synced", SYNCED)])
def test_two_processes_train_as_one(
    two: Launcher, data: Path, tiny_recipe: MakeRecipe, silent: Reporter, tmp_path: Path, name: str, values: object
) -> None:
    one = train(data, tiny_recipe(**values), tmp_path / "one", silent)  # type: ignore[arg-type]
    other = two.folder(name)
    assert_close(last(one).tensors, last(other).tensors)
    assert load_file(one.model).keys() == load_file(other.model).keys()
    for a, b in zip(metrics(one), metrics(other), strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    assert last(one).progress.totals == last(other).progress.totals


def test_the_order_of_samples_is_that_of_one(
    two: Launcher,
    data: Path,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[int, list[int]] = {}
    take_step = loop.take_step

    def noted(run: Run, inputs: Inputs, state: State, *others: Any) -> Step:
        seen[state.progress.step] = others[2].rows.tolist()
        return take_step(run, inputs, state, *others)

    monkeypatch.setattr(loop, "take_step", noted)
    train(data, tiny_recipe(**PLAIN), tmp_path / "one", silent)
    assert samples(two.folder("plain")) == seen
    shares = [len(json.loads(line)[1]) for line in (two.room / "plain" / "samples.0").read_text().splitlines()]
    assert set(shares) == {2}  # of 6 and of 5


def test_two_runs_of_two_processes_are_identical(two: Launcher) -> None:
    assert digest(two.folder("plain")) == digest(two.folder("again"))
    assert metrics(two.folder("plain")) == metrics(two.folder("again"))


def test_what_one_process_began_two_end_as_two_do(two: Launcher) -> None:
    whole, resumed = two.folder("plain"), two.folder("stopped")
    assert_close(last(whole).tensors, last(resumed).tensors)
    after = {step: rows for step, rows in samples(whole).items() if step >= 5}
    assert samples(resumed) == after
    log = resumed.log.read_text()
    assert log.index("SIGTERM: saving after step 4") < log.index("process 0 of 2, gloo")


def test_running_averages_are_of_all_images_even_where_statistics_are_not(two: Launcher) -> None:
    apart, joined = last(two.folder("normed")).tensors, last(two.folder("synced")).tensors
    assert not torch.equal(apart["net.conv.weight"], joined["net.conv.weight"])
    # The mean of means is that of all images; the mean of variances lacks what the means differ by.
    assert torch.allclose(apart["net.bn.running_mean"], joined["net.bn.running_mean"], rtol=0.1, atol=0.02)


def test_the_first_process_alone_writes_and_speaks(two: Launcher) -> None:
    run = two.folder("plain")
    log = run.log.read_text().splitlines()
    assert log[0].endswith(" process 0 of 2, gloo")
    assert sum("epoch 1/2" in line for line in log) == 1
    assert not any(line.endswith("process 1 of 2, gloo") for line in log)
    assert sorted(path.name for path in two.room.glob("plain*")) == ["plain", "plain.toml"]


# What ends one ends all


def sentences(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("striate: ")]


def strike(act: str, at: int) -> list[dict[str, object]]:
    common = {"after": False, "half": False, "in_writer": False, "times": 1}
    return [{"act": act, "at": at, "target": "striate.training.loop:take_step", **common}]


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_failure_of_one_ends_all_with_its_message(launcher: Launcher, rank: str) -> None:
    code, said = launcher.launch(Job([launcher.words("run", PLAIN)], strikes={rank: strike("ENOSPC", 3)}))
    assert code != 0
    assert sentences(said) == ["striate: No space left on device."]
    assert "OSError: [Errno 28] No space left on device" in said.split("Root Cause")[1]  # torchrun's report


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_by_another(launcher: Launcher) -> None:
    code, said = launcher.launch(Job([launcher.words("run", PLAIN)], strikes={"1": strike("kill", 3)}))
    assert code != 0
    assert sentences(said) in (  # or torchrun ends the other before it can say so
        [],
        [
            "striate: process 0: expected an answer of all 2 processes; one of them has ended, or has stood still for "
            "10 minutes. See what it said last, and its host."
        ],
    )
    assert "Signal 9 (SIGKILL)" in said


@pytest.mark.slow
def test_one_that_stands_still_does_not_hold_up_the_others_for_ever(launcher: Launcher) -> None:
    code, said = launcher.launch(Job([launcher.words("run", PLAIN)], stuck={"1": 2}))
    assert code != 0
    [sentence] = sentences(said)
    assert sentence.startswith("striate: process 0: expected an answer of all 2 processes; one of them has ended, or ")


@pytest.mark.slow
def test_a_signal_to_one_stops_all_at_the_same_step_and_the_run_goes_on_with_either_number(
    launcher: Launcher, silent: Reporter
) -> None:
    code, said = launcher.launch(Job([launcher.words("unbroken", HARD), launcher.words("plain", PLAIN)]))
    assert code == 0, said
    for name, values, resumed in (("stopped", HARD, 2), ("parted", PLAIN, 1)):
        code, said = launcher.launch(Job([launcher.words(name, values)], strikes={"1": strike("term", 4)}))
        folder = launcher.folder(name)
        assert code != 0
        assert sentences(said) == [f"striate: stopped by SIGTERM; go on with `{folder.resumed_by}`."]
        assert last(folder).progress.step == 4
        if resumed == 2:
            code, said = launcher.launch(Job([["train", "--resume", str(folder.path)]]))
            assert code == 0, said
        else:
            resume(folder.path, reporter=silent)
    assert digest(launcher.folder("stopped")) == digest(launcher.folder("unbroken"))
    assert samples(launcher.folder("stopped")) == samples(launcher.folder("unbroken"))
    assert_close(last(launcher.folder("parted")).tensors, last(launcher.folder("plain")).tensors)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_with_its_bits(launcher: Launcher) -> None:
    code, said = launcher.launch(Job([launcher.words("unbroken", HARD)]))
    assert code == 0, said
    code, said = launcher.launch(Job([launcher.words("killed", HARD)], strikes={"0": strike("kill", 7)}))
    assert code != 0
    code, said = launcher.launch(Job([["train", "--resume", str(launcher.folder("killed").path)]]))
    assert code == 0, said
    assert digest(launcher.folder("killed")) == digest(launcher.folder("unbroken"))
    assert metrics(launcher.folder("killed")) == metrics(launcher.folder("unbroken"))


@pytest.mark.slow
def test_memory_that_runs_out_in_one_halves_the_parts_of_all(
    launcher: Launcher, data: Path, tiny_recipe: MakeRecipe, silent: Reporter
) -> None:
    values = PLAIN | {"batch_size": 12}
    one = train(data, tiny_recipe(**values), launcher.room / "one", silent)
    code, said = launcher.launch(Job([launcher.words("run", values)], memory={"1": 3}))
    assert code == 0, said
    assert_close(last(one).tensors, last(launcher.folder("run")).tensors)
    assert last(launcher.folder("run")).progress.part_size == 3
    assert launcher.folder("run").log.read_text().count("out of memory") == 1


@pytest.mark.slow
def test_memory_that_runs_out_amid_joined_statistics_ends_the_run(launcher: Launcher) -> None:
    code, said = launcher.launch(Job([launcher.words("run", SYNCED)], memory={"1": 1}))
    assert code != 0
    assert sentences(said) == ["striate: out of memory. Try a smaller --batch-size or --img-size."]


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_is_skipped_by_all(launcher: Launcher) -> None:
    job = Job([launcher.words("run", PLAIN | {"skip_bad_steps": 1})], poison={"1": 2})
    code, said = launcher.launch(job)
    assert code == 0, said
    run = launcher.folder("run")
    [line] = [line for line in run.log.read_text().splitlines() if "Skipped, as 1 of at most 1" in line]
    assert "step 2: expected a finite loss; got nan." in line
    assert line.count(".png") == len(samples(run)[2])
    assert last(run).progress.skipped == 1


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_ends_all_with_one_sentence(launcher: Launcher) -> None:
    code, said = launcher.launch(Job([launcher.words("run", PLAIN)], poison={"1": 2}))
    assert code != 0
    [sentence] = sentences(said)
    assert sentence.startswith("striate: step 2: expected a finite loss; got nan. Try a lower --lr")
    assert sentence.count(".png") == len(samples(launcher.folder("run"))[2])


# Who they are


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Processes()),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}, Processes()),
        ({"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}, Processes(5, 8, 1, 4)),
    ],
)
def test_the_environment_says_which_process_this_is(environment: dict[str, str], expected: Processes) -> None:
    assert Processes.of(environment) == expected


def test_one_process_talks_to_itself() -> None:
    tensor = torch.arange(3.0)
    ALONE.add_([tensor])
    ALONE.share(nn.Linear(1, 1))
    assert tensor.tolist() == [0, 1, 2]
    assert ALONE.first
    assert ALONE.numbers(1, 0.5) == [[1, 0.5]]
    assert ALONE.gather("a") == ["a"]
    assert ALONE.from_first(lambda: "b") == ALONE.one_a_host_first(lambda: "b") == "b"
    with JoinedProcesses() as processes:
        assert processes == ALONE
        assert not torch.distributed.is_initialized()


def test_processes_share_the_cores_of_their_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.training.process_group.cores", lambda: 9)
    assert [Processes(0, world, 0, world).cores for world in (1, 2, 16)] == [9, 4, 1]


def machine(device: str) -> Machine:
    return Machine(torch.device(device), "float32", "contiguous", "")


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert Processes(5, 8, 1, 4).place(machine("cuda")).device == torch.device("cuda", 1)
    assert Processes(5, 8, 1, 4).place(machine("cpu")).device == torch.device("cpu")
    assert ALONE.place(machine("cuda")).device == torch.device("cuda")
    assert chosen == [1]


def test_devices_that_do_not_serve_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device, message in (
        ("mps", "`device`: expected cpu or cuda for 4 processes; got mps. Try --device cpu."),
        ("cuda", "`--nproc-per-node`: expected at most 2, one process a GPU; got 4. Try fewer, or --device cpu."),
    ):
        with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
            Processes(0, 4, 0, 4).place(machine(device))


def test_a_share_of_one_image_is_refused_where_batch_norm_needs_two(
    silent: Reporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CATALOGUE, "pooled", Pooled)
    recipe = from_dict({"network": {"model": "pooled"}, "training": {"batch_size": 3}})
    message = (
        "`batch_size`: expected 4 images a step or more, 2 for each of 2 processes, because pooled has a batch norm "
        "over maps of one value; got 3, at which 9 images make a step of 3. Try 5 or more."
    )
    index = build(tmp_path, ("a", "b"), [f"{number}.png" for number in range(9)], label=[0] * 9, split=["train"] * 9)
    run = Run(
        recipe,
        index,
        Classify(("a", "b")),
        Preprocessing((1, 32, 32), (0.5,), (0.5,)),
        machine("cpu"),
        1,
        RunFolder(tmp_path),
        silent,
        "pooled",
        {"num_classes": 2},
        Processes(0, 2, 0, 2),
    )
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        require_two_a_step(run)
    require_two_a_step(replace(run, processes=ALONE))


def test_a_process_whose_failure_is_told_already_says_nothing() -> None:
    assert verdict(ToldError(143)) == (143, "")
