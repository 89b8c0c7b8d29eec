"""What runs say of val, and what `striate evaluate` then finds of their files: five kinds of run, on two data sets.

usage: python benchmarks/said_and_done.py [IMAGES]

Prints Markdown. The data are hymenoptera, and so many images (1,000) of cifar10-jpeg dealt to 100 classes, ten for each
of theirs, so that answers are close calls. Both figures are as they are printed, four digits each.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

SHARED = (Path(__file__).parents[1] / "../shared").resolve()
STRIATE = [sys.executable, "-m", "striate"]
SAID = re.compile(r"val, as the model file answers: (.*)")
DATA = {  # weights, and flags for all runs
    "hymenoptera": ("mobilenet_v1_025_224.keras", ("--img-size", "96")),
    "100 classes": ("cifar_resnet20", ()),
}
KINDS = {
    "scratch": ("--weights", "none", "--epochs", "1", "-m", "resnet20_cifar", "--img-size", "32"),
    "freeze all": ("--freeze", "all"),
    "freeze 0.5": ("--freeze", "0.5", "--views", "2", "--epochs", "1"),
    "freeze none": ("--freeze", "none", "--epochs", "1"),
    "several labels": ("--freeze", "all", "--label-separator", ";"),
}


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("| data | run | said | done | |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, (weights, flags) in DATA.items():
            root = Path(folder, name.replace(" ", "-"))
            root.mkdir()
            one, several = tables(root, name, images)
            for kind, more in KINDS.items():
                data = several if kind == "several labels" else one
                own = () if kind == "scratch" else ("--weights", f"{SHARED}/weights/{weights}.safetensors", *flags)
                said, done = figures(data, root / kind.replace(" ", "-"), [*own, *more])
                print(f"| {name} | {kind} | {said} | {done} | {'same' if said == done else '**other**'} |", flush=True)


def tables(root: Path, name: str, images: int) -> tuple[Path, Path]:
    """Tables of a data set with one label an image, and with several."""
    if name == "hymenoptera":
        found = sorted((SHARED / "data/hymenoptera").rglob("*.jpg"))
        rows = [(path.read_bytes(), path.parent.name) for path in found]
    else:
        table = pq.read_table(SHARED / "data/cifar10-jpeg/test-00000-of-00001.parquet").slice(0, images)
        image, label = (table.column(name).to_pylist() for name in table.column_names[:2])
        rows = [(i["bytes"], f"{of} {n % 10}") for n, (i, of) in enumerate(zip(image, label, strict=True))]
    (root / "images").mkdir()
    for number, (content, _) in enumerate(rows):
        (root / f"images/{number}.jpg").write_bytes(content)  # an image outside the folder of its table is refused
    both = []
    for title, more in (("one", ""), ("several", ";odd")):
        lines = [f"images/{n}.jpg,{label}{more if n % 2 else ''}" for n, (_, label) in enumerate(rows)]
        both.append(root / f"{title}.csv")
        both[-1].write_text("\n".join(["path,label", *lines]) + "\n")
    return both[0], both[1]


def figures(data: Path, run: Path, flags: list[str]) -> tuple[str, str]:
    """Accuracy and loss as a run says them, and as `striate evaluate` finds them."""
    train = ["train", str(data), "--output", str(run), "--no-report", *flags]
    subprocess.run([*STRIATE, *train], check=True, capture_output=True)
    [line] = SAID.findall((run / "log.txt").read_text())
    said = re.findall(r"^accuracy ([\d.]+).*loss ([\d.]+)$", line)[0]
    ask = ["evaluate", str(run / "model.safetensors"), str(data), "--split", "val", "--json"]
    separator = ["--label-separator", ";"] if "--label-separator" in flags else []
    asked = subprocess.run([*STRIATE, *ask, *separator], check=True, capture_output=True)
    metrics = json.loads(asked.stdout)["metrics"]
    done = [f"{metrics[name]['value']:.4f}" for name in ("accuracy", "loss")]
    return ", ".join(said), ", ".join(done)


if __name__ == "__main__":
    main()
