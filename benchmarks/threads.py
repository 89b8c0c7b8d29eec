"""Whether threads should give way sooner: LeNet-5 trained while two threads decode, in processes of their own.

usage: python benchmarks/threads.py

libgomp lets a thread that waits spin for GOMP_SPINCOUNT turns before it sleeps, and Python lets a thread keep the
interpreter for 5 ms while others ask for it. Both are long beside a step of LeNet-5; this measures shorter ones.
"""

import os
import statistics
import subprocess
import sys
import time

STEPS, BATCH, ROUNDS = 300, 64, 3
DEFAULT_INTERVAL_S = 0.005  # Python's


def work() -> float:
    """Images a second of LeNet-5 on noise, fed by the loader."""
    import numpy as np
    import torch

    from striate.data import GivenImages, Loader, Preprocessing, batches
    from striate.nets import create
    from striate.recipe import TrainingRecipe
    from striate.tasks.classify import Classify
    from striate.training import optimizer

    noise = list(np.random.default_rng(0).integers(0, 255, (BATCH, 28, 28), np.uint8))
    preprocessing = Preprocessing((1, 32, 32), (0.5,), (0.5,))
    net = create("lenet5", activation="relu")
    objective = Classify(tuple("0123456789")).objective(net)
    updates = optimizer.build(net, TrainingRecipe())
    labels = torch.randint(10, (BATCH,))
    rows = np.tile(np.arange(BATCH), STEPS)
    started = 0.0
    for step, batch in enumerate(Loader(GivenImages(noise), batches(rows, BATCH), preprocessing, workers=2)):
        if step == STEPS // 10:
            started = time.perf_counter()
        loss, _ = objective(preprocessing.normalise(batch.images), {"label": labels})
        loss.backward()
        updates.step()
        updates.zero_grad()
    return (STEPS - STEPS // 10) * BATCH / (time.perf_counter() - started)


def process(spin_count: str | None, switch_interval_s: float) -> float:
    """What `work` measures in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if spin_count is not None:
        environment["GOMP_SPINCOUNT"] = spin_count
    words = [sys.executable, __file__, str(switch_interval_s)]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    settings = {
        "defaults": (None, DEFAULT_INTERVAL_S),
        "1,000 turns": ("1000", DEFAULT_INTERVAL_S),
        "0.5 ms": (None, 0.0005),
        "1,000 turns and 0.5 ms": ("1000", 0.0005),
    }
    rates: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(ROUNDS):
        for name, setting in settings.items():
            rates[name].append(process(*setting))
    print("LeNet-5 trained while two threads decode, images a second, medians of", ROUNDS)
    for name, values in rates.items():
        ratio = statistics.median(a / b for a, b in zip(values, rates["defaults"], strict=True))
        print(f"{name:24}{statistics.median(values):8.0f}   {min(values):.0f} to {max(values):.0f}   ratio {ratio:.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.setswitchinterval(float(sys.argv[1]))
        print(work())
    else:
        main()
