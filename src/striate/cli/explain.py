"""striate explain: what a model looks at, as images."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import require_apart
from striate.errors import DataError, UsageError
from striate.files import whole_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from striate.data import Loader
    from striate.explain import Explanation
    from striate.model import Model

SHEET = 12  # images on one figure
CHECKED = 4  # images whose maps are checked
CHANNELS = 12  # whose most exciting images are drawn
DPI = 110


def explain(
    model: Path,
    /,
    *images: Path,
    output: Annotated[Path, Parameter(alias="-o")] = Path("explained.png"),
    method: Literal["cam", "occlusion"] | None = None,
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    layer: str | None = None,
    filters: Annotated[bool, Parameter(negative="")] = False,
    data: Path | None = None,
    neighbours: Annotated[bool, Parameter(negative="")] = False,
    exciting: Annotated[bool, Parameter(negative="")] = False,
    channels: str = "",
    dead: Annotated[bool, Parameter(negative="")] = False,
    check: bool = True,
    batch_size: Annotated[int, Parameter(alias="-b", validator=Number(gte=1, lte=65_536))] = 16,
    workers: Annotated[int | None, Parameter(alias="-j", validator=Number(gte=1, lte=1024))] = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
) -> None:
    """Show what speaks for the answer to an image, and whether that map can be trusted.

    Without further flags each image is drawn beside its class activation map; of a model of a single class, beside what
    its box depends on. An image that cannot be read is named, the others are explained, and the exit code is then 3.

    Args:
        model: Model file.
        images: Images and folders of images.
        output: PNG to write, or a folder for one PNG an image.
        method: Class activation map, or how much the score falls where a patch hides the image, which takes longer.
            Unless given, cam; but occlusion of a model of a single class, whose score is the overlap of its box.
        class_name: Class to explain instead of the answer.
        layer: Module whose feature maps are drawn instead; with --exciting, whose channels.
        filters: Draw the filters of the first convolution instead; takes no images.
        data: Images to look in for the three flags below, as for `striate train`.
        neighbours: Draw the images of --data that the network finds most like each image.
        exciting: Draw the images of --data that excite the channels of --layer most.
        channels: With --exciting: numbers of channels, as 0,5,7; the most active unless given.
        dead: Count the channels of every layer that answer to no image of --data.
        check: Check by deletion, insertion and shuffled weights whether the maps mean anything.
        batch_size: Images at a time.
        workers: Threads that decode images; one a core unless given.
        device: Where the network runs.
    """
    from striate.device import keep_memory
    from striate.explain import first_filters
    from striate.explain.figures import draw_filters
    from striate.pretrained import load

    if (neighbours or exciting or dead) and data is None:
        raise UsageError("`--data`: expected images to look in, for --neighbours, --exciting or --dead; got none.")
    _require_output(output)
    keep_memory()
    loaded = load(model, device=device, precision="float32")
    if filters:
        _save(draw_filters(first_filters(loaded.net)), output if output.suffix else output / "filters.png")
    elif exciting:
        _exciting(loaded, data, layer, channels, batch_size, workers, output)
    elif dead:
        _dead(loaded, data, layer, batch_size, workers)
    elif not images:
        raise UsageError("IMAGES: expected images or folders to explain; got none.")
    else:
        sources = _sources(images)
        require_apart("--output", output, [*sources, data])
        method = method or ("occlusion" if len(loaded.classes) == 1 else "cam")
        draw = _Draw(loaded, method, class_name, layer, data if neighbours else None, batch_size, workers)
        _images(draw, sources, output, check=check and not layer and not neighbours)


class _Draw:
    """Draws a batch of images in the way that was asked for."""

    def __init__(
        self,
        model: "Model",
        method: str,
        class_name: str | None,
        layer: str | None,
        data: Path | None,
        batch_size: int,
        workers: int | None,
    ) -> None:
        self.model, self.method, self.class_name, self.layer = model, method, class_name, layer
        self.data, self.batch_size, self.workers = data, batch_size, workers

    def maps(self, images: "Tensor") -> "Explanation":
        """Class activation maps or occlusion maps."""
        return self.explain(self.model, images, self.class_name)

    def explain(self, model: "Model", images: "Tensor", classes: Any) -> "Explanation":
        """The same, of another model of the same network."""
        from striate.explain import activation_maps, occlusion_maps

        return (
            occlusion_maps(model, images, classes)
            if self.method == "occlusion"
            else activation_maps(model, images, classes)
        )

    def sheet(self, images: "Tensor") -> "Figure":
        """One figure of all images."""
        from striate.explain import feature_maps

        if self.data is not None:
            return self._neighbours(images)
        if self.layer is not None:
            if len(images) > 1:
                raise UsageError("`--output`: expected a folder for the feature maps of several images; got a file.")
            return feature_maps(self.model, images, self.layer).figure()
        return self.maps(images).figure()

    def _neighbours(self, images: "Tensor") -> "Figure":
        from striate.data import IndexedImages
        from striate.explain import neighbours
        from striate.explain.capture import class_scores
        from striate.explain.figures import draw_images

        index, loader = _loader(self.model, self.data, self.batch_size, self.workers)
        found = neighbours(self.model, images, loader)
        shown = IndexedImages(index, self.model.max_pixels)
        answers = class_scores(self.model.predict_batch(images), len(self.model.classes)).argmax(dim=1).tolist()
        rows = []
        for place, image in enumerate(images.numpy()):
            row = [(image, f"answer: {self.model.classes[answers[place]]}")]
            for other, similarity in zip(found.rows[place].tolist(), found.similarity[place].tolist(), strict=True):
                if other >= 0:
                    label = index.table["label"][other].as_py()
                    name = index.classes[label] if label is not None and label >= 0 else "no label"
                    row.append((_pixels(self.model, shown, other), f"{name}, {similarity:.2f}"))
            rows.append(row)
        return draw_images(rows)


def _images(draw: _Draw, sources: list[Path], output: Path, *, check: bool) -> None:
    """Writes one figure, or one for each image into a folder."""
    import torch

    bad: list[str] = []
    if output.suffix and len(sources) > SHEET:
        raise UsageError(
            f"`--output`: expected a folder for more than {SHEET} images; got {output}, and {len(sources)} images."
        )
    first: list[Tensor] = []  # the few that are checked, or all of a sheet
    used: set[str] = set()
    for source, image in _read(draw.model, sources, draw.batch_size, draw.workers, bad):
        if len(first) < (SHEET if output.suffix else CHECKED):
            first.append(image)
        if not output.suffix:
            _save(draw.sheet(image[None]), output / f"{_unused(source.stem, used)}.png", told=False)
    if first and output.suffix:
        _save(draw.sheet(torch.stack(first)), output)
    elif first:
        _say(f"wrote {len(used)} images to {output}")
    if first and check:
        from striate.explain import faithfulness

        shown = torch.stack(first[:CHECKED])
        _say(faithfulness(draw.model, draw.maps(shown), draw.explain).sentence())
    if bad:
        others = "; the others are explained" if len(bad) < len(sources) else ""
        raise DataError(f"{len(bad)} of {len(sources)} images could not be read{others}. {'; '.join(bad)}")


def _read(
    model: "Model", sources: list[Path], batch_size: int, workers: int | None, bad: list[str]
) -> "Iterator[tuple[Path, Tensor]]":
    """Each image (H, W, C) as the network sees it; `bad` takes those that cannot be read."""
    import numpy as np

    from striate.data import GivenImages, Loader, batches
    from striate.processors import cores

    images, unreadable = GivenImages(sources, model.max_pixels), dict[int, str]()
    loader = Loader(
        images,
        batches(np.arange(len(sources)), batch_size),
        model.preprocessing,
        workers=workers or cores(),
        unreadable=unreadable,
    )
    for batch in loader:
        for place, row in enumerate(batch.rows.tolist()):
            if row in unreadable:
                bad.append(f"{images.path(row)}: {unreadable[row]}")
            else:
                yield sources[row], batch.images[place]


def _loader(model: "Model", data: Path | None, batch_size: int, workers: int | None) -> "tuple[Any, Loader]":
    """The index of --data, and a pass over the images of its training split, or over all where it has none."""
    import numpy as np

    from striate.data import IndexedImages, Loader, batches, read
    from striate.processors import cores

    if data is None:
        raise UsageError("`--data`: expected images to look in; got none.")
    index = read(data)
    rows = index.rows("train")
    rows = rows if len(rows) else np.flatnonzero(index.usable())
    if not len(rows):
        raise DataError(f"data: expected images in {data}; got none.")
    loader = Loader(
        IndexedImages(index, model.max_pixels),
        batches(rows, batch_size),
        model.preprocessing,
        workers=workers or cores(),
        unreadable={},
    )
    return index, loader


def _pixels(model: "Model", images: Any, row: int) -> Any:
    shown = images.open(row)
    return model.preprocessing.read(shown)


def _exciting(
    model: "Model",
    data: Path | None,
    layer: str | None,
    wanted: str,
    batch_size: int,
    workers: int | None,
    output: Path,
) -> None:
    import numpy as np

    from striate.data import IndexedImages
    from striate.explain import channels
    from striate.explain.capture import explained_layers
    from striate.explain.figures import draw_images

    index, loader = _loader(model, data, batch_size, workers)
    found = channels(model, loader, layer or explained_layers(model.net)[0])
    numbers = (
        _numbers(wanted, len(found.largest)) or np.argsort(-found.largest[:, 0], kind="stable")[:CHANNELS].tolist()
    )
    images = IndexedImages(index, model.max_pixels)
    rows = []
    for number in numbers:
        pairs = zip(found.rows[number].tolist(), found.largest[number].tolist(), strict=True)
        rows.append([(_pixels(model, images, row), f"{number}: {value:.2g}") for row, value in pairs if row >= 0])
    _save(draw_images(rows), output if output.suffix else output / f"{found.layer}.png")
    _say(f"{found.layer}: {int(found.dead.sum())} of {len(found.dead)} channels are dead on {found.images:,} images")


def _dead(model: "Model", data: Path | None, layer: str | None, batch_size: int, workers: int | None) -> None:
    from rich.table import Table

    from striate.console import Page
    from striate.explain import channels, layers_with_maps

    table = Table("layer", "channels", "dead", "smallest answer", "largest answer")
    for name in [layer] if layer else layers_with_maps(model):
        _, loader = _loader(model, data, batch_size, workers)
        found = channels(model, loader, name, most=1)
        table.add_row(
            name,
            str(len(found.dead)),
            str(int(found.dead.sum())),
            f"{found.smallest.min():.3g}",
            f"{found.largest.max():.3g}",
        )
    Page().print(table)


def _numbers(written: str, count: int) -> list[int]:
    words = written.replace(",", " ").split()
    numbers = [number for word in words if (number := whole_number(word)) is not None and number < count]
    if len(numbers) < len(words):
        raise UsageError(f"`--channels`: expected numbers under {count}, as 0,5,7; got {written}.")
    return numbers


def _sources(paths: Sequence[Path]) -> list[Path]:
    from striate.data.readers.folders import image_files

    sources: list[Path] = []
    for path in paths:
        found = image_files(path) if path.is_dir() else [path]
        if not found:
            raise DataError(f"images: expected images in {path}; got none.")
        sources += found
    return sources


def _require_output(path: Path) -> None:
    if path.suffix and path.suffix.lower() != ".png":
        raise UsageError(f"`--output`: expected a name that ends in .png, or a folder; got {path}.")
    if path.suffix and not path.parent.is_dir():
        raise UsageError(f"`--output`: expected a folder that exists; got {path.parent}.")


def _unused(stem: str, used: set[str]) -> str:
    """The stem, numbered where an image before it had the same."""
    name, number = stem, 1
    while name in used:
        number += 1
        name = f"{stem}-{number}"
    used.add(name)
    return name


def _save(figure: "Figure", path: Path, *, told: bool = True) -> None:
    from striate.files import write_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda aside: figure.savefig(aside, format="png", dpi=DPI))
    if told:
        _say(f"wrote {path}")


def _say(text: str) -> None:
    from striate.console import Page

    Page().print(text, soft_wrap=True, markup=False, emoji=False, highlight=False)
