"""Heads on features: seconds, memory and accuracy of each way, beside scikit-learn's logistic regression.

usage: python benchmarks/heads.py [WAY ...] [VECTORS [IMAGES_A_VECTOR ...]]
       python benchmarks/heads.py --beside [PHOTOS]

WAY is softmax, ridge, mlp, cosine or scikit-learn: all unless given.

Vectors are real: features of small photos by MobileNet v1 of width 0.25 at 96 pixels. To have as many of them and as
many classes as are asked for, a vector is that of one, two or three photos side by side, and its class is their classes
together: 10, 100 or 1,000 classes. Vectors to test on are of other photos. Without those files, vectors are drawn
around a centre a class. Each vector comes with a second view, as mirrored photos do.

With --beside, it is asked what share of the seconds of its features a softmax head of 1,000 classes takes: 7,000 small
photos in two views by EfficientNet-Lite0, each of their ten classes parted into a hundred by k-means of the vectors.

Every row is measured in a process of its own, for its memory. Seconds are those of the processor, of all threads
together, which other programs that run beside this one do not take away; set OMP_NUM_THREADS=1 where there are such,
for threads that wait for each other count as busy. The wall's seconds stand beside them. A row that is not there after
ten minutes of the processor is left out, and said.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from striate.data import read
from striate.device import choose
from striate.features import MirroredView, extract, fit
from striate.graph.parts import vectors
from striate.pretrained import pretrained
from striate.processors import cores

SHARED = Path(__file__).parents[2] / "shared"
DATA, WEIGHTS = SHARED / "data" / "cifar10-jpeg", SHARED / "weights" / "mobilenet_v1_025_224.keras.safetensors"
PHOTOS, SIZE = 12_000, 96
SIZES, TOGETHER = (200, 2_000, 20_000, 200_000), (1, 2, 3)
TESTED = 5_000  # vectors
MOST_S = 600  # of the processor, that a row is waited for
WAYS = ("softmax", "ridge", "mlp", "cosine", "scikit-learn")
BESIDE, PARTED = "--beside", 7_000  # photos of a head that is measured beside its features
ROW = "--row"  # the first argument of a process that measures one row


def photos() -> tuple[Tensor, Tensor, Tensor]:
    """Features of photos and of their mirror images, (N, D) each, and their classes."""
    if not (DATA.exists() and WEIGHTS.exists()):
        rng = torch.Generator().manual_seed(0)
        labels = torch.randint(0, 10, (PHOTOS,), generator=rng)
        centres = 0.35 * torch.randn(10, 256, generator=rng)
        plain, mirrored = (centres[labels] + torch.randn(PHOTOS, 256, generator=rng) for _ in range(2))
        return plain, mirrored, labels
    base, index = pretrained(str(WEIGHTS)), read(DATA)
    shown = replace(base.preprocessing, input_size=(3, SIZE, SIZE))
    rows = np.sort(np.random.default_rng(0).permutation(index.rows("train"))[:PHOTOS])
    prefix = vectors(base.net, base.net.stages[-1:], shown.input_size)  # type: ignore[arg-type,index]
    plain, mirrored = (
        extract(index, rows, prefix, shown, choose(precision="float32"), view=view, workers=cores()).vectors()
        for view in (None, MirroredView(shown))
    )
    return plain, mirrored, torch.from_numpy(index.labels(rows))


def side_by_side(some: tuple[Tensor, Tensor, Tensor], count: int, together: int, seed: int) -> list[Tensor]:
    """So many vectors of photos side by side, in two views, and their classes."""
    plain, mirrored, labels = some
    drawn = torch.randint(0, len(labels), (count, together), generator=torch.Generator().manual_seed(seed))
    classes = sum(labels[drawn[:, place]] * 10**place for place in range(together))
    return [plain[drawn].flatten(1), mirrored[drawn].flatten(1), torch.as_tensor(classes)]


def fitted_by_scikit_learn(views: list[Tensor], labels: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of a logistic regression with one penalty."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values, truth = torch.cat(views).numpy(), labels.repeat(len(views)).numpy()
    scaler = StandardScaler().fit(values)
    with warnings.catch_warnings(action="ignore"):
        found = LogisticRegression(C=1 / (strength * len(values)), max_iter=200).fit(scaler.transform(values), truth)
    weight = torch.zeros(int(labels.max()) + 1, values.shape[1], dtype=torch.float64)
    bias = torch.full((len(weight),), -1e9, dtype=torch.float64)  # of a class that no vector is of
    weight[found.classes_] = torch.from_numpy(found.coef_ / scaler.scale_)
    bias[found.classes_] = torch.from_numpy(found.intercept_) - weight[found.classes_] @ torch.from_numpy(scaler.mean_)
    return weight.float(), bias.float()


def row(path: Path, way: str, count: int, together: int) -> None:
    """Fits one head, and prints what it took and what it gives."""
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_S, MOST_S))
    plain, mirrored, labels = torch.load(path)
    half = len(labels) // 2
    first, second = ((plain[part], mirrored[part], labels[part]) for part in (slice(half), slice(half, None)))
    *views, truth = side_by_side(first, count // 2, together, seed=1)
    asked, _, answers = side_by_side(second, TESTED, together, seed=2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    if way == "scikit-learn":
        weight, bias = fitted_by_scikit_learn(views, truth, strength=0.01)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        logits, held_out = asked @ weight.T + bias, ""
    else:
        found = fit(views, truth, 10**together, kind=way, precision=choose().precision)  # type: ignore[arg-type]
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        logits = found.head(asked)
        right = float((found.out_of_fold.argmax(dim=1) == truth[found.held_out]).float().mean())
        held_out = f"{right:9.3f} {len(found.held_out):7,} {len(found.losses):3} {found.strength:8.2g}"
    right, loss = float((logits.argmax(dim=1) == answers).float().mean()), float(cross_entropy(logits, answers))
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(
        f"{count:8,} {10**together:6,} {way:13} {processor:9.2f} {wall:8.2f} {more:7.2f} {right:9.3f} {loss:7.3f} "
        f"{held_out}"
    )


def beside_features(count: int) -> None:
    """Seconds of the processor for features of so many photos, and for a head of a thousand classes on them."""
    base, index, machine = pretrained("efficientnet_lite0"), read(DATA), choose(runtime="auto")
    rows = np.sort(np.random.default_rng(0).permutation(index.rows("train"))[:count])
    prefix = vectors(base.net, base.net.stages[-1:], base.preprocessing.input_size)  # type: ignore[arg-type,index]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STRIATE_CACHE"] = folder
        started = time.process_time()
        views = [
            extract(index, rows, prefix, base.preprocessing, machine, view=view, workers=cores()).vectors()
            for view in (None, MirroredView(base.preprocessing))
        ]
        features_s = time.process_time() - started
    classes = parted(views[0], torch.from_numpy(index.labels(rows)), 100)
    for precision in dict.fromkeys(("float32", machine.precision)):
        started = time.process_time()
        fit(views, classes, 1000, precision=precision)
        head_s = time.process_time() - started
        features = f"{2 * count:,} views of {views[0].shape[1]:,} features in {machine.precision}: {features_s:.1f} s"
        share = f"{head_s:.1f} s, {head_s / features_s:.0%}, {head_s / count / 2e-3:.2f} ms a view"
        print(f"{features}; head of 1,000 classes in {precision}: {share}")


def parted(found: Tensor, labels: Tensor, parts: int) -> Tensor:
    """Classes of vectors (N, D): each of theirs in so many parts."""
    from sklearn.cluster import MiniBatchKMeans

    classes = torch.empty_like(labels)
    for label in labels.unique().tolist():
        own = labels == label
        means = MiniBatchKMeans(parts, random_state=0, n_init=1).fit(found[own].numpy())
        classes[own] = parts * label + torch.from_numpy(means.labels_).to(labels)
    return classes


def main() -> None:
    if sys.argv[1:2] == [BESIDE]:
        if DATA.exists():
            beside_features(int(sys.argv[2]) if len(sys.argv) > 2 else PARTED)
        else:
            print(f"heads: skipped, because {DATA} is not there")
        return
    ways = [word for word in sys.argv[1:] if word in WAYS] or WAYS
    count, *given = [int(word) for word in sys.argv[1:] if word not in WAYS] or [0]
    sizes, kinds = [count] if count else SIZES, given or TOGETHER
    found = photos()
    vectors_are = "real" if DATA.exists() and WEIGHTS.exists() else "drawn"
    print(
        f"{vectors_are} vectors; {torch.get_num_threads()} threads; {choose().precision} where there is much to compute"
    )
    print(
        f"{'vectors':>8} {'classes':>7} {'way':12} {'cpu s':>9} {'wall s':>8} {'more GB':>7} {'test acc':>9} "
        f"{'loss':>7} {'held out':>9} {'images':>7} {'penalties':>3}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photos.pt"
        torch.save(found, path)
        for count in sizes:
            for together in kinds:
                for way in ways if count >= 20 * 10**together else ():
                    command = [sys.executable, __file__, ROW, str(path), way, str(count), str(together)]
                    done = subprocess.run(command, check=False, env=os.environ)
                    if -done.returncode in (signal.SIGXCPU, signal.SIGKILL):
                        print(f"{count:8,} {10**together:6,} {way:13} not there after {MOST_S} seconds", flush=True)
                    elif done.returncode:
                        raise SystemExit(done.returncode)


if __name__ == "__main__":
    if sys.argv[1:2] == [ROW]:
        row(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
