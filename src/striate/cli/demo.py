"""striate demo: the whole journey on real scans that scikit-learn carries."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from striate.recipe import AugmentRecipe, DataRecipe, NetworkRecipe, Recipe, TrainingRecipe, TransferRecipe
from striate.recipe.tables import NO_WEIGHTS

if TYPE_CHECKING:
    from striate.console import Page

RECIPE = Recipe(
    network=NetworkRecipe(model="lenet5", model_args={"activation": "relu"}),
    data=DataRecipe(crop_pct=1.0, val_fraction=0.15, test_fraction=0.25),
    augment=AugmentRecipe(crop_scale=(0.7, 1.0), crop_ratio=(0.8, 1.25), mirror=0.0),
    training=TrainingRecipe(epochs=40, batch_size=32, opt="adamw", lr=2e-3, label_smoothing=0.05),
    transfer=TransferRecipe(weights=NO_WEIGHTS),
)
BRIGHTEST = 16  # of scikit-learn's digits


def demo(*, output: Annotated[Path, Parameter(alias="-o")] = Path("runs/demo")) -> None:
    """Train LeNet-5 on handwritten digits, score it, predict some, and draw what it learned.

    The digits are 1,797 real scans of 8x8 pixels, by 13 writers, that come with scikit-learn.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.

    Args:
        output: Folder for all files; numbered where it exists.
    """
    started = time.monotonic()
    from striate import api
    from striate.console import Page, Reporter
    from striate.data import read
    from striate.evaluation import evaluate
    from striate.model import load
    from striate.report.figures import draw_summary
    from striate.training import RunFolder

    console = Page()
    folder = RunFolder.create(output).path
    images = folder / "digits"
    write_digits(images)
    _step(console, 1, f"wrote scikit-learn's digits as PNG files in class folders: {images}")

    _step(console, 2, f"striate train {images} --model {RECIPE.network.name} --epochs {RECIPE.training.epochs} …")
    run = api.train(images, RECIPE, output=folder / "run", reporter=Reporter(console))

    _step(console, 3, f"striate evaluate {run.model} {images}")
    model, index = load(run.model), read(images)
    result = evaluate(model, index)
    scores = result.metrics
    console.print(
        f"{result.split}: accuracy {scores['accuracy']:.4f} on {scores['count']} images held out from training, "
        f"95 % interval {scores['accuracy_low']:.4f} to {scores['accuracy_high']:.4f}",
        highlight=False,
        soft_wrap=True,
    )

    some = [images / path for path in index.paths(result.rows[:: max(len(result.rows) // 5, 1)][:5])]
    _step(console, 4, f"striate predict {run.model} {some[0]} …")
    for prediction in model.predict(some):
        best = ", ".join(f"{name} {probability:.3f}" for name, probability in prediction.top(3))
        console.print(f"{Path(prediction.path).relative_to(images)}: {best}", highlight=False)

    figure = folder / "demo.png"
    draw_summary(model, index, result, figure)
    _step(console, 5, "drew the first filters, the confusion matrix and the mistakes")
    files = {"figure": figure, "report": run.report, "model": run.model, "metrics": run.metrics, "recipe": run.recipe}
    for title, path in files.items():
        console.print(f"{title + ':':9}{path}", highlight=False, soft_wrap=True)
    console.print(
        f"{time.monotonic() - started:.0f} seconds. Now: striate train YOUR_FOLDER_OF_CLASS_FOLDERS", highlight=False
    )


def _step(console: "Page", number: int, text: str) -> None:
    console.print(f"[bold]{number}.[/bold] {text}", highlight=False, soft_wrap=True)


def write_digits(root: Path) -> None:
    """Writes scikit-learn's digits as PNG files, a folder a class.

    Args:
        root: folder to make.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = root / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        values = np.rint(pixels * (255 / BRIGHTEST)).astype(np.uint8)
        Image.fromarray(values).save(folder / f"{number:04d}.png")
