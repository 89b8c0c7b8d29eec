"""A recipe over several seeds, each in a process of its own as at the prompt: test error, seconds, and the medians.

usage: python benchmarks/recipe.py [RECIPE.toml DATA [SEEDS]]
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STRIATE = [sys.executable, "-m", "striate"]


def main() -> None:
    words = sys.argv[1:] or ["recipes/mnist-lenet5.toml", "../shared/data/mnist", "3"]
    recipe, data = (ROOT / word for word in words[:2])
    if not data.exists():
        print(f"recipe: skipped, because {data} is not there")
        return
    errors, seconds = [], []
    print(f"{recipe.name} on {data.name}")
    for seed in range(int(words[2]) if len(words) > 2 else 3):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            flags = ["--recipe", str(recipe), "--seed", str(seed), "--output", str(run)]
            started = time.perf_counter()
            subprocess.run([*STRIATE, "train", str(data), *flags], check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)
            model = str(run / "model.safetensors")
            done = subprocess.run([*STRIATE, "evaluate", model, str(data), "--json"], check=True, capture_output=True)
        scores = json.loads(done.stdout)
        errors.append(1 - scores["metrics"]["accuracy"]["value"])
        print(f"seed {seed}: {scores['split']} error {errors[-1]:.2%}, {seconds[-1]:.0f} s", flush=True)
    print(f"median: error {statistics.median(errors):.2%}, {statistics.median(seconds):.0f} s")


if __name__ == "__main__":
    main()
