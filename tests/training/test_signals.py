import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from striate.cli.app import verdict
from striate.console import Reporter
from striate.recipe import Recipe
from striate.training import RunFolder, checkpoint, resume, train
from striate.training.signals import Interrupted, Signals

MakeRecipe = Callable[..., Recipe]
BOTH = (signal.SIGINT, signal.SIGTERM)


def send(number: signal.Signals) -> None:
    """To this process, whose main thread takes it before it goes on."""
    signal.raise_signal(number)


@pytest.mark.parametrize("number", BOTH)
def test_the_first_signal_is_noted_and_the_second_acts_as_ever(number: signal.Signals) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda number, frame: came.append(number))
    try:
        with Signals() as signals:
            send(number)
            assert signals.received == number
            assert came == []
            send(number)
            assert came == [number]
    finally:
        signal.signal(number, before)


def test_a_second_ctrl_c_ends_at_once() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Signals():
            send(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                send(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_of_several_processes_a_second_signal_changes_nothing() -> None:
    with Signals(second_ends=False) as signals:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert signals.received == signal.SIGTERM


def test_afterwards_all_is_as_it_was() -> None:
    before = [signal.getsignal(number) for number in BOTH]
    with Signals():
        assert [signal.getsignal(number) for number in BOTH] != before
    assert [signal.getsignal(number) for number in BOTH] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_signals_alone() -> None:
    before = [signal.getsignal(number) for number in BOTH]
    seen = []

    def work() -> None:
        with Signals():
            seen.append([signal.getsignal(number) for number in BOTH])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_exit_code_and_the_sentence(number: signal.Signals, code: int) -> None:
    sentence = f"stopped by {number.name}; go on with `striate train --resume 'a run'`."
    assert verdict(Interrupted(number, RunFolder(Path("a run")))) == (code, sentence)


@pytest.mark.parametrize("where", ["striate.training.loop.take_step", "striate.tasks.classify.Classify.metrics"])
def test_a_run_that_is_stopped_is_saved_where_it_stands(
    two_classes: Path,
    tiny_recipe: MakeRecipe,
    silent: Reporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    expected = train(two_classes, tiny_recipe(), tmp_path / "expected", silent)
    owner, name = where.rsplit(".", 1)
    module, kind = owner.rsplit(".", 1)
    home = getattr(__import__(module, fromlist=[kind]), kind)
    original, calls = getattr(home, name), list[int]()

    def signalled(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            send(signal.SIGTERM)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(home, name, signalled)
        with pytest.raises(Interrupted):
            train(two_classes, tiny_recipe(epochs=4), tmp_path / "run", silent)
    run = RunFolder(tmp_path / "run")
    newest = checkpoint.read(checkpoint.found(run.checkpoint)[0])
    assert newest.progress.step == (3 if "take_step" in where else 7)
    resume(run.path, tiny_recipe(epochs=4), silent)
    assert checkpoint.read(checkpoint.found(run.checkpoint)[0]).progress.step == 8
    assert expected.model.exists()
