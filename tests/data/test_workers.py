import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from striate.data import build, workers
from striate.data.check.scan_index import scan_index
from striate.data.identity import digest_column
from striate.data.workers import MANY, Workers


def process_of(_: int) -> int:
    return os.getpid()


def ends(but: int) -> int:
    """Ends every process but one."""
    if os.getpid() != but:
        os.kill(os.getpid(), signal.SIGKILL)
    return but


def fails(_: int) -> int:
    raise ValueError("not this one")


def prints(number: int) -> int:
    os.write(1, b"a library's chatter")
    print(number)
    return number


def test_few_files_are_worked_on_here() -> None:
    with Workers(2) as few:
        few.expect(MANY - 1)
        assert few.call(process_of, 0) == os.getpid()
    with Workers(1) as one:
        one.expect(MANY)
        assert one.call(process_of, 0) == os.getpid()


def test_many_files_are_worked_on_in_processes_that_end_with_the_context(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(2) as several:
        several.expect(MANY)
        several.expect(MANY)  # those that are there already
        with ThreadPoolExecutor(2) as pool:
            processes = set(pool.map(lambda number: several.call(process_of, number), range(40)))
            assert [*pool.map(lambda number: several.call(prints, number), range(9))] == [*range(9)]
        assert len(processes) == 2
        assert os.getpid() not in processes
    assert capfd.readouterr().out == ""
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_what_a_lost_worker_was_asked_for_is_done_here(capfd: pytest.CaptureFixture[str]) -> None:
    with Workers(2) as several:
        several.expect(MANY)
        assert [several.call(ends, os.getpid()) for _ in range(3)] == [os.getpid()] * 3
    with Workers(2) as several:
        several.expect(MANY)
        with pytest.raises(ValueError, match="not this one"):
            several.call(fails, 0)
    assert capfd.readouterr().err == ""


def test_a_worker_ends_with_the_process_that_asks() -> None:
    code = (
        "from striate.data.workers import Workers, MANY; import time\n"
        "with Workers(2) as several:\n"
        "    several.expect(MANY); print(several._processes[0].pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        worker = int(asking.stdout.readline())
        asking.kill()
        asking.wait()
    for _ in range(100):
        if not Path(f"/proc/{worker}/stat").exists() or " Z " in Path(f"/proc/{worker}/stat").read_text():
            return
        signal.sigtimedwait([], 0.1)
    pytest.fail("the worker outlived the process that asked it")


def test_a_check_sees_the_same_in_processes(
    tmp_path: Path, save_picture: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file is called, and also of files that cannot be read, or hold many images."""
    names = [f"{number}\udcff.png" for number in range(5)]
    for number, name in enumerate(names):
        save_picture(tmp_path / name, seed=number)  # type: ignore[operator]
    (tmp_path / names[2]).write_bytes(b"")
    np.save(tmp_path / "x.npy", np.arange(3 * 9 * 9, dtype=np.uint8).reshape(3, 9, 9))
    index = build(tmp_path, ("ant",), [*names * 30, "gone.png", *(f"x.npy#{number}" for number in range(4))])
    rows = np.arange(len(index))
    monkeypatch.setattr(workers, "MANY", 2)
    found = []
    for count in (1, 2):
        with Workers(count) as several:
            scan = scan_index(index, workers=several)
            found.append((scan.records.tobytes(), scan.reasons, digest_column(index, rows, tmp_path / "c", several)))
    assert found[0] == found[1]
    assert found[0][1][2] == "the file is empty"
    assert found[0][1][-1] == "x.npy holds 3 images, numbered from 0"
