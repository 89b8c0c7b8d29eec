"""A classifier from a frozen network: seconds and accuracy, beside the same network in a plain PyTorch loop.

usage: python benchmarks/transfer.py [--race] [DATA [WEIGHTS [SEEDS [EPOCHS [BATCH_SIZE …]]]]]
       python benchmarks/transfer.py --bound [DATA …]

DATA is photos with labels, in any layout, of which 2,000 are used at most; WEIGHTS a name or a file; with 0 EPOCHS
there is no loop; with --race there is nothing but the second point. What a run cannot do without, and the ratio to it,
is measured beside the race: reading and decoding each photo once on all cores, one pass of the network over each view
by the runtime that striate chooses, and 2 seconds. With --bound that alone is measured, of the embedded weights, three
times in turn with a run: of the wall, and of the processor, which other programs that run beside it lengthen less.

1. Heads: accuracy in five-fold cross-validation on train, and on val, which had no part in it.
2. Seconds from the command to the model file, with a cold and a warm feature cache, and those of the loop that the
   common tutorial of PyTorch writes: 25 epochs, SGD of 0.001 and momentum 0.9, a tenth of it every 7 epochs, batches of
   4 and 32, two processes that read, random crops and mirrors, the best epoch on val kept. Both are processes of their
   own, so both import PyTorch; both are run in turn, for each seed. The loop, like the tutorial, keeps the best epoch
   by val itself, which flatters its accuracy; ours never looks at val. Unlike the tutorial it leaves the network in
   evaluation form, for batch norm is folded into these weights, and its statistics over a batch would undo them.
3. Every setting of the head that is tried, the penalties of two kinds, cross-validated, on kept features and by
   computing anew.
4. Extraction into an empty cache beside one pass of inference through the same layers, in the same precision.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from _timing import compare
from striate.console import Reporter
from striate.data import Index, IndexedImages, Loader, Preprocessing, batches, read, split
from striate.device import choose
from striate.features import extract, fit
from striate.features.heads import Kind
from striate.graph import vectors
from striate.graph.parts import Vectors
from striate.graph.runtime import extractor
from striate.nets import create
from striate.pretrained import Pretrained, pretrained
from striate.processors import cores
from striate.recipe import Recipe, TransferRecipe
from striate.transfer import train
from striate.weights import load_into

SHARED = Path(__file__).parents[2] / "shared"
DATA, WEIGHTS = SHARED / "data" / "hymenoptera", "efficientnet_lite0"
MOST, VAL_FRACTION = 2000, 0.3  # photos that are used, and the share of them held out where the data has no such split
VIEWS, START_S = 2, 2.0  # of each photo of train that a head is fitted to; what starting a process may take
SEEDS, EPOCHS, BATCH_SIZES = 5, 25, (4, 32)
BOUND, ROUNDS = "--bound", 3  # the first argument where only the ratio to the physical bound is asked for
RACE = "--race"  # the first argument where only the race is
PLAIN = "--plain"  # the first argument of a process that runs the loop


class Photos(Dataset[tuple[Tensor, int]]):
    """A folder of class folders, as torchvision's ImageFolder with the tutorial's transforms reads it."""

    def __init__(self, root: Path, shown: Preprocessing, *, training: bool) -> None:
        classes = sorted(path for path in root.iterdir() if path.is_dir())
        self.files = [(file, label) for label, path in enumerate(classes) for file in sorted(path.glob("*.jpg"))]
        self.classes = len(classes)
        self.shown = shown
        self.training = training

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        path, label = self.files[place]
        with Image.open(path) as file:
            image = file.convert("RGB")
        image = self._random(image) if self.training else self._middle(image)
        values = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        mean, std = torch.tensor(self.shown.mean)[:, None, None], torch.tensor(self.shown.std)[:, None, None]
        return (values - mean) / std, label

    def _random(self, image: Image.Image) -> Image.Image:
        """RandomResizedCrop and RandomHorizontalFlip; a crop that does not fit is drawn anew."""
        width, height = image.size
        while True:
            area = width * height * float(torch.empty(1).uniform_(0.08, 1))
            ratio = float(torch.empty(1).uniform_(np.log(3 / 4), np.log(4 / 3)).exp())
            w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < w <= width and 0 < h <= height:
                break
        left, top = int(torch.randint(width - w + 1, (1,))), int(torch.randint(height - h + 1, (1,)))
        image = image.resize(self.shown.size, Image.Resampling.BILINEAR, (left, top, left + w, top + h))
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if torch.rand(1) < 0.5 else image

    def _middle(self, image: Image.Image) -> Image.Image:
        """Resize of the shorter side, and CenterCrop."""
        size, crop = self.shown.size[0], round(self.shown.size[0] / self.shown.crop_pct)
        scale = crop / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)))
        left, top = (image.width - size) // 2, (image.height - size) // 2
        return image.crop((left, top, left + size, top + size))


def laid_out(data: Path, folder: Path) -> Path:
    """At most `MOST` photos as class folders of JPEG files in train and val; links where they are files."""
    index = read(data)
    if not len(index.rows("val")):
        index = split(index, val_fraction=VAL_FRACTION, test_fraction=0.0, seed=0)
    rng = np.random.default_rng(0)
    labelled = len(index.rows("train")) + len(index.rows("val"))
    for part in ("train", "val"):
        rows = index.rows(part)
        some = np.sort(rng.permutation(rows)[: min(len(rows), MOST * len(rows) // labelled)])
        for row, label, path in zip(some.tolist(), index.labels(some).tolist(), index.paths(some), strict=True):
            target = folder / part / index.classes[label] / f"{row:06d}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            if (index.root / path).is_file():
                target.symlink_to((index.root / path).absolute())
            else:
                opened = IndexedImages(index).open(row)
                Image.fromarray(opened.decode(1, 3)).save(target, quality=100, subsampling=0)
    return folder


def physics(index: Index, base: Pretrained) -> tuple[float, float]:
    """Seconds that a run cannot do without, of the wall and of the processor."""
    rows = np.concatenate([index.rows("train"), index.rows("val")])
    started = now()
    whole = None
    for batch in Loader(IndexedImages(index), batches(rows, 32), base.preprocessing, workers=cores()):
        whole = whole or batch
    decoding = now() - started
    if whole is None:
        raise ValueError("expected photos; got none")
    infer = extractor(head_input(base), choose(runtime="auto"))
    shown = base.preprocessing.normalise(whole.images)
    infer(shown)
    started = now()
    for _ in range(5):
        infer(shown)
    per_view = (now() - started) / (5 * len(shown))
    wall, processor = decoding + per_view * (VIEWS * len(index.rows("train")) + len(index.rows("val"))) + START_S
    return float(wall), float(processor)


def now() -> NDArray[np.float64]:
    """Seconds, of the wall and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def beside_physics(data: Path, base: Pretrained, folder: Path) -> None:
    """Prints how many times what a run cannot do without it takes, to the model file, in an empty home."""
    striate, index, found = Path(sys.executable).with_name("striate"), read(data), []
    for number in range(ROUNDS):
        bound = physics(index, base)
        with cache(folder / f"bound-{number}"):
            run = folder / f"run-{number}"
            took, _ = seconds_of(striate, "train", data, "--weights", WEIGHTS, "--no-report", "--output", run)
        found.append((*bound, *took))
    bound, processor_bound, wall, processor = np.median(np.array(found), axis=0)
    ratio, processor_ratio = (statistics.median(row[2 + n] / row[n] for row in found) for n in (0, 1))
    print(f"{data.name}, {len(index)} photos: {wall:.1f} s, {ratio:.1f} times the {bound:.1f} s of physics; ", end="")
    print(f"of the processor {processor:.1f} s, {processor_ratio:.1f} times {processor_bound:.1f} s", flush=True)


def plain_loop(data: Path, weights: str, output: Path, batch_size: int, epochs: int, seed: int) -> float:
    """Trains the last layer as the tutorial does; gives the accuracy of the best epoch, whose weights are written."""
    torch.manual_seed(seed)
    base = pretrained(weights)
    sets = {name: Photos(data / name, base.preprocessing, training=name == "train") for name in ("train", "val")}
    loaders = {name: DataLoader(each, batch_size, shuffle=True, num_workers=2) for name, each in sets.items()}
    net = create(base.name, **base.arguments, num_classes=sets["train"].classes)
    load_into(net, base.net.state_dict())
    net.requires_grad_(False).eval()
    head = [module for module in net.modules() if isinstance(module, nn.Linear)][-1].requires_grad_(True)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.001, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    best = -1.0
    for _ in range(epochs):
        for name, loader in loaders.items():
            right = 0
            for images, labels in loader:
                optimizer.zero_grad()
                with torch.set_grad_enabled(name == "train"):
                    logits = net(images)
                    loss = nn.functional.cross_entropy(logits, labels)
                    if name == "train":
                        loss.backward()
                        optimizer.step()
                right += int((logits.argmax(dim=1) == labels).sum())
            if name == "train":
                schedule.step()
            elif right / len(sets["val"]) > best:
                best = right / len(sets["val"])
                torch.save(net.state_dict(), output)
    return best


def seconds_of(*command: object) -> tuple[tuple[float, float], str]:
    """Seconds of a process, of the wall and of the processor, and what it prints."""
    started, before = time.perf_counter(), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    processor = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before
    return (time.perf_counter() - started, processor), done.stdout


@contextmanager
def cache(folder: Path) -> Iterator[None]:
    """Lets striate, in this process and those it starts, keep features there."""
    before = os.environ.get("STRIATE_CACHE")
    os.environ["STRIATE_CACHE"] = str(folder)
    yield
    if before is None:
        del os.environ["STRIATE_CACHE"]
    else:
        os.environ["STRIATE_CACHE"] = before


def heads(data: Path, weights: str, folder: Path) -> None:
    """Accuracy and cross-entropy of each head."""
    print(f"{'views':>6}  {'head':8}{'cv acc':>8}{'cv loss':>8}{'val acc':>8}")
    with cache(folder / "heads"):
        for views in (1, 2, 4):
            for kind in ("softmax", "ridge"):
                recipe = Recipe(transfer=TransferRecipe(weights, views=views, head=kind))
                run = train(data, recipe, folder / "run", Reporter.silent())
                names, values = (line.split(",") for line in run.metrics.read_text().splitlines())
                row = dict(zip(names, values, strict=True))
                figures = (float(row[name]) for name in ("cv_accuracy", "cv_loss", "val_accuracy"))
                interval = f"[{float(row['val_accuracy_low']):.3f}, {float(row['val_accuracy_high']):.3f}]"
                print(f"{views:>6}  {kind:8}{''.join(f'{figure:8.3f}' for figure in figures)}  {interval}")


def race_to_a_model(
    data: Path, base: Pretrained, weights: str, folder: Path, seeds: int, epochs: int, batch_sizes: Sequence[int]
) -> None:
    """Seconds and val accuracy of ours, cold and warm, and of the plain loop; in turn, a round a seed."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    striate = Path(sys.executable).with_name("striate")
    for seed in range(seeds):
        with cache(folder / f"cache-{seed}"):
            for name in ("ours, cold", "ours, warm"):
                run = folder / f"{name}-{seed}".replace(", ", "-")
                took, _ = seconds_of(striate, "train", data, "--weights", weights, "--seed", seed, "--output", run)
                header, row = (line.split(",") for line in (run / "metrics.csv").read_text().splitlines())
                found.setdefault(name, []).append((*took, float(row[header.index("val_accuracy")])))
        for batch_size in batch_sizes if epochs else ():
            command = (sys.executable, __file__, PLAIN, data, weights, folder / "plain.pt", batch_size, epochs, seed)
            took, said = seconds_of(*command)
            found.setdefault(f"plain loop, batches of {batch_size}", []).append((*took, float(said)))
    ours = [seconds for seconds, *_ in found["ours, cold"]]
    bound, _ = physics(read(data), base)
    ratio = statistics.median(ours) / bound
    print(f"\nreading, decoding and one pass a view: {bound:.1f} s; ours, cold: {ratio:.1f} times that")
    print(
        f"\n{'from the command to the model file':36}{'wall s':>8}{'cpu s':>8}{'val acc':>8}  of {seeds} seeds; "
        "wall, times ours, cold"
    )
    for name, runs in found.items():
        wall, processor, _ = (statistics.median(each) for each in zip(*runs, strict=True))
        times = statistics.median(seconds / own for (seconds, *_), own in zip(runs, ours, strict=True))
        accuracies = [accuracy for *_, accuracy in runs]
        print(
            f"{name:36}{wall:8.1f}{processor:8.1f}{statistics.mean(accuracies):8.3f}  "
            f"[{min(accuracies):.3f}, {max(accuracies):.3f}]{times:8.1f}"
        )


def head_input(base: Pretrained) -> Vectors:
    """What makes the vectors that a head is given."""
    stages: tuple[str, ...] = base.net.stages  # type: ignore[assignment]
    return vectors(base.net, stages[-1:], base.preprocessing.input_size)


def settings_of_the_head(index: Index, base: Pretrained, folder: Path) -> None:
    """All settings that are tried on kept features, beside an extraction for each."""
    prefix, machine, rows = head_input(base), choose(), index.rows("train")
    labels = torch.from_numpy(index.labels(rows))

    def features() -> Tensor:
        return extract(index, rows, prefix, base.preprocessing, machine, workers=cores()).vectors()

    extractions = []
    for number in range(3):
        with cache(folder / f"settings-{number}"):
            started = time.perf_counter()
            features()
            extractions.append(time.perf_counter() - started)
    with cache(folder / "settings-0"):
        started = time.perf_counter()
        found = features()
        kinds: tuple[Kind, ...] = ("softmax", "ridge")
        settings = sum(len(fit([found], labels, len(index.classes), kind=kind).losses) for kind in kinds)
        kept = time.perf_counter() - started
    anew = settings * statistics.median(extractions) + kept
    print(f"\n{settings} settings of the head, cross-validated: {kept:.2f} s on kept features,")
    print(f"{anew:.1f} s with an extraction for each ({statistics.median(extractions):.2f} s): {anew / kept:.0f} times")


def extraction_beside_inference(index: Index, base: Pretrained, folder: Path) -> None:
    """Images a second of an extraction into an empty cache, and of the same layers without one."""
    prefix, machine, rows = head_input(base), choose(), index.rows("train")
    infer, rounds = extractor(prefix, machine), iter(range(1000))

    def ours() -> int:
        with cache(folder / f"extraction-{next(rounds)}"):
            return len(extract(index, rows, prefix, base.preprocessing, machine, workers=cores()))

    def inference() -> int:
        loader = Loader(IndexedImages(index), batches(rows, 32), base.preprocessing, workers=cores())
        for batch in loader:
            infer(base.preprocessing.normalise(batch.images.to(machine.device)))
        return len(rows)

    rate, reference, ratio = compare(ours, inference)
    print(f"\nextraction {rate:.0f} images/s, inference {reference:.0f}: {1 / ratio:.2f} times the time")


def bounds(names: Sequence[str]) -> None:
    """The ratio to the physical bound on each data set."""
    base = pretrained(WEIGHTS)
    print(f"{base.name}; {choose()}, {choose(runtime='auto').runtime}; {torch.get_num_threads()} threads; ", end="")
    print(f"medians of {ROUNDS}")
    for data in [Path(name) for name in names] or [DATA]:
        with tempfile.TemporaryDirectory() as name:
            beside_physics(laid_out(data, Path(name) / data.name), base, Path(name))


def main() -> None:
    given = [word for word in sys.argv[1:] if word != RACE]
    data = Path(given[0]) if given else DATA
    weights = given[1] if len(given) > 1 else WEIGHTS
    seeds = int(given[2]) if len(given) > 2 else SEEDS
    epochs = int(given[3]) if len(given) > 3 else EPOCHS
    batch_sizes = [int(word) for word in given[4:]] or BATCH_SIZES
    if not data.exists():
        print(f"transfer: skipped, because {data} is not there")
        return
    base = pretrained(weights)
    print(f"{data.name}, {base.name}; {choose()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = laid_out(data, folder / "photos")
        race_to_a_model(data, base, weights, folder, seeds, epochs, batch_sizes)
        if RACE in sys.argv:
            return
        index = read(data)
        heads(data, weights, folder)
        settings_of_the_head(index, base, folder)
        extraction_beside_inference(index, base, folder)


if __name__ == "__main__":
    if sys.argv[1:2] == [PLAIN]:
        data, weights, output, batch_size, epochs, seed = sys.argv[2:]
        print(plain_loop(Path(data), weights, Path(output), int(batch_size), int(epochs), int(seed)))
    elif sys.argv[1:2] == [BOUND]:
        bounds(sys.argv[2:])
    else:
        main()
