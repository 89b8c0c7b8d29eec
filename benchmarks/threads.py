"""How long idle threads of arithmetic should spin: training LeNet-5 while two threads decode, in processes of their
own.

usage: python benchmarks/threads.py

libgomp lets a thread that waits spin for GOMP_SPINCOUNT turns before it sleeps; its own default is so high that the
thread keeps its core from those that decode. Python lets a thread keep the interpreter for 5 ms while others ask for
it, which is longer than a whole step here. The command line sets 1,000 turns and 0.5 ms.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from _timing import compare

STEPS, BATCH = 150, 64
DEFAULT_INTERVAL_S = 0.005  # Python's


def work() -> None:
    """Steps of LeNet-5 on noise, fed by the loader; runs in a process of its own."""
    import numpy as np
    import torch

    from striate.data import GivenPictures, Loader, Preprocessing, batches
    from striate.nets import create
    from striate.recipe import TrainingRecipe
    from striate.tasks import Classify
    from striate.train import optimizer

    noise = list(np.random.default_rng(0).integers(0, 255, (BATCH, 28, 28), np.uint8))
    preprocessing = Preprocessing((1, 32, 32), (0.5,), (0.5,))
    net = create("lenet5", activation="relu")
    objective = Classify(tuple("0123456789")).objective(net)
    updates = optimizer.build(net, TrainingRecipe())
    labels = torch.randint(10, (BATCH,))
    rows = np.tile(np.arange(BATCH), STEPS)
    for batch in Loader(GivenPictures(noise), batches(rows, BATCH), preprocessing, workers=2):
        loss, _ = objective(preprocessing.normalise(batch.images), labels)
        loss.backward()
        updates.step()
        updates.zero_grad()


def process(spin_count: str | None, switch_interval_s: float) -> int:
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if spin_count is not None:
        environment["GOMP_SPINCOUNT"] = spin_count
    words = [sys.executable, __file__, str(switch_interval_s)]
    subprocess.run(words, env=environment, check=True, cwd=Path(__file__).parent)
    return STEPS * BATCH


def main() -> None:
    print("whole processes that train LeNet-5 while two threads decode, pictures a second")
    print(f"{'beside the defaults':30}{'set':>8}{'default':>9}{'ratio':>7}")
    for name, spin_count, interval_s in (
        ("1,000 turns", "1000", DEFAULT_INTERVAL_S),
        ("0.5 ms", None, 0.0005),
        ("1,000 turns and 0.5 ms", "1000", 0.0005),
    ):
        a, b, ratio = compare(partial(process, spin_count, interval_s), partial(process, None, DEFAULT_INTERVAL_S))
        print(f"{name:30}{a:8.0f}{b:9.0f}{ratio:7.2f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.setswitchinterval(float(sys.argv[1]))
        work()
    else:
        main()
