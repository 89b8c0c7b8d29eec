"""A model: network, task, class names and preprocessing in one file that predicts."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from striate import model_file, windows
from striate.data import (
    Annotations,
    Batch,
    GivenImages,
    IndexedImages,
    Loader,
    Preprocessing,
    Rows,
    Source,
    batches,
)
from striate.data.crops import ONCE, Viewing, cropped
from striate.data.readers.folders import image_files
from striate.device import Machine, as_pinned, choose
from striate.errors import DataError, ModelFileError, UsageError
from striate.files import fit_to_print, json_text, write_whole
from striate.graph.runtime import net_runner
from striate.model_file import FORMAT_VERSION, About
from striate.nets import heads_of
from striate.processors import cores
from striate.recipe.ranges import MAX_PIXELS
from striate.tasks import TASKS, Prediction, Task, task_from_dict
from striate.tasks.ensemble import Ensemble
from striate.tensors import differences, not_finite, read, renamed, save_file

OWN_KEYS = {"format_version", "task", "net", "classes", "preprocessing", "metrics"}  # the others are `Model.about`
SHOWN_CLASSES = 5  # in a model's repr


@dataclass(repr=False)
class Model:
    """A trained network with all that is needed to use it."""

    net: nn.Module
    """The network as a plain module, in evaluation mode: normalised images (N, C, H, W) -> outputs."""

    name: str
    """The name of the net in the catalogue."""

    arguments: dict[str, Any]
    """The arguments that the net was made with."""

    task: Task
    preprocessing: Preprocessing
    metrics: dict[str, float] = field(default_factory=dict)
    """Scores on the split that chose the weights, with intervals."""

    about: dict[str, Any] = field(default_factory=dict)
    """How it came to be: recipe, seed, commit, fingerprint of the data."""

    machine: Machine = field(default_factory=choose)
    """Where it runs and in which precision."""

    _runner: "tuple[object, Callable[[Tensor], Tensor]] | None" = field(default=None, init=False, compare=False)
    """What the net's tensors were when it was made ready to run, and how it runs."""

    def __repr__(self) -> str:
        channels, height, width = self.preprocessing.input_size
        shown = ", ".join(self.classes[:SHOWN_CLASSES]) + (", …" if len(self.classes) > SHOWN_CLASSES else "")
        parts = [
            f"{self.name}, {sum(parameter.numel() for parameter in self.net.parameters()):,} parameters",
            f"{self.task.name}, {len(self.classes):,} classes: {shown}",
            f"images {channels}x{height}x{width}, {self.machine.device}, {self.machine.precision}",
        ]
        if self.task.score in self.metrics:
            parts.append(f"val {self.task.line(self.metrics)}")
        return f"<Model {'; '.join(parts)}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, by class number."""
        return self.task.classes

    @property
    def max_pixels(self) -> int:
        """An image of more is refused before it is decoded, as it was in training."""
        limit: int = (self.about.get("recipe", {}).get("data") or {}).get("max_pixels", MAX_PIXELS)
        return limit

    @overload
    def predict(
        self,
        images: list[Source | str] | list[Path] | list[str],
        batch_size: int = ...,
        workers: int | None = ...,
        viewing: Viewing = ...,
    ) -> list[Prediction]: ...

    @overload
    def predict(
        self,
        images: bytes | NDArray[np.uint8] | Image,
        batch_size: int = ...,
        workers: int | None = ...,
        viewing: Viewing = ...,
    ) -> Prediction: ...

    @overload
    def predict(
        self, images: str | Path, batch_size: int = ..., workers: int | None = ..., viewing: Viewing = ...
    ) -> Any: ...  # a file or a folder: only the disk knows

    def predict(
        self, images: Any, batch_size: int = 64, workers: int | None = None, viewing: Viewing = ONCE
    ) -> Prediction | list[Prediction]:
        """Predicts one image, a list of images, or all images of a folder.

        Args:
            images: a path, encoded bytes, pixels (H, W) or (H, W, C) in uint8 RGB, or a Pillow image: one prediction. A
                list of those, or the path of a folder: a list of predictions, in order.
            batch_size: images at a time.
            workers: threads that decode; one a core unless given.
            viewing: the views of each image, over which probabilities are averaged; one unless given.

        Raises:
            DataError: if a single image cannot be read; in a list or folder its prediction has an `error` instead.
        """
        sources, several = _sources(images)
        if several:
            return list(self.predict_each(sources, batch_size, workers, viewing))
        prediction = next(self.predict_each(sources, batch_size, 1, viewing))
        if prediction.error:
            raise DataError(f"{prediction.path}: cannot be read: {prediction.error}.")
        return prediction

    def embed(self, images: Any, batch_size: int = 64, workers: int | None = None) -> Tensor:
        """The vectors by which the network tells images apart: what its head is given.

        PyTorch runs the network as it is; predictions run it folded and compiled, whose vectors differ by rounding.

        Args:
            images: as in `predict`.
            batch_size: images at a time.
            workers: threads that decode; one a core unless given.

        Returns:
            (N, D), float32 on the CPU, an image a row; where the head is given maps, their means over H and W.

        Raises:
            DataError: if an image cannot be read.
            UsageError: if the network does not name its head.
        """
        sources, _ = _sources(images)
        given = GivenImages(sources, self.max_pixels)
        unreadable: dict[int, str] = {}
        parts = batches(np.arange(len(sources)), batch_size)
        loader = Loader(given, parts, self.preprocessing, workers=workers or cores(), unreadable=unreadable)
        vectors: list[Tensor] = []

        def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            value = inputs[0].detach().float()
            vectors.append((value.mean(dim=(2, 3)) if value.ndim == 4 else value.flatten(1)).cpu())

        if not heads_of(self.net):
            raise UsageError(f"`{self.name}`: expected a network that names its head; got one without `head`.")
        hook = self.net.get_submodule(heads_of(self.net)[0]).register_forward_pre_hook(note)
        try:
            for batch in loader:
                predict_batch(self.net, batch.images, self.preprocessing, self.machine)
                for row in batch.rows.tolist():
                    if row in unreadable:
                        raise DataError(f"{given.path(row)}: cannot be read: {unreadable[row]}.")
        finally:
            hook.remove()
        return torch.cat(vectors) if vectors else torch.empty(0, 0)

    def predict_each(
        self, sources: Sequence[Source], batch_size: int = 64, workers: int | None = None, viewing: Viewing = ONCE
    ) -> Iterator[Prediction]:
        """Predicts one image after another, in order, holding only a few batches in memory."""
        images = GivenImages(sources, self.max_pixels)
        unreadable: dict[int, str] = {}
        rows = np.arange(len(sources))
        for outputs, batch in self.outputs_of(images, rows, batch_size, workers, viewing, unreadable=unreadable):
            readable = [place for place, row in enumerate(batch.rows.tolist()) if row not in unreadable]
            paths = [images.path(row) for row in batch.rows.tolist()]
            sizes = [(width, height) for width, height in batch.sizes[readable].tolist()]
            shown, named = viewing.whole(self.preprocessing), [paths[place] for place in readable]
            decoded = iter(self.task.decode(outputs[readable], named, sizes, shown) if readable else ())
            for row, path in zip(batch.rows.tolist(), paths, strict=True):
                yield self.task.unread(path, unreadable[row]) if row in unreadable else next(decoded)

    def outputs_of(
        self,
        images: GivenImages | IndexedImages,
        rows: Rows,
        batch_size: int = 64,
        workers: int | None = None,
        viewing: Viewing = ONCE,
        *,
        unreadable: dict[int, str],
        annotations: Annotations | None = None,
    ) -> Iterator[tuple[Tensor, Batch]]:
        """The outputs (N, …) for images, float32 on the CPU, batch by batch, with what they are the outputs for.

        Args:
            images: where the rows are decoded from.
            rows: of the images, in order.
            batch_size: views at a time.
            workers: threads that decode; one a core unless given.
            viewing: the views of each image, over which probabilities are averaged.
            unreadable: takes the reason of each row that cannot be read.
            annotations: what comes along with images.

        Raises:
            UsageError: if the views are not such as this model can look at.
        """
        if viewing.window is not None:
            yield from self._outputs_by_windows(images, rows, batch_size, viewing, unreadable)
            return
        crops, workers = viewing.windows(self.preprocessing), workers or cores()
        if not crops:
            parts, along = batches(rows, batch_size), annotations or {}
            for batch in Loader(images, parts, self.preprocessing, workers=workers, unreadable=unreadable, **along):
                yield self.predict_batch(batch.images, mirrored=viewing.mirrored), batch
            return
        if annotations:
            raise UsageError(f"`crops`: expected 1 of the task {self.task.name}, which asks about the whole image.")
        parts = batches(rows, max(batch_size // len(crops), 1))
        for batch in cropped(images, parts, crops, self.preprocessing, workers=workers, unreadable=unreadable):
            outputs = self.predict_batch(batch.images, mirrored=viewing.mirrored).unflatten(0, (-1, len(crops)))
            yield self.task.average(outputs.unbind(dim=1)), batch

    def _outputs_by_windows(
        self,
        images: GivenImages | IndexedImages,
        rows: Rows,
        batch_size: int,
        viewing: Viewing,
        unreadable: dict[int, str],
    ) -> Iterator[tuple[Tensor, Batch]]:
        """The outputs (1, K, H, W) of one image after another, where H and W cover all of it."""
        shown = self.preprocessing.size
        for row, size, pixels in windows.canvases(
            images, rows, viewing, self.preprocessing, self.max_pixels, unreadable
        ):
            parts = torch.from_numpy(windows.windows(pixels, shown)).split(batch_size)
            outputs = torch.cat([self.predict_batch(part, mirrored=viewing.mirrored) for part in parts])
            if outputs.ndim != 4:
                raise UsageError(f"`window`: expected a model that names pixels; got one of the task {self.task.name}.")
            whole = windows.blended(outputs, (pixels.shape[1], pixels.shape[0]), shown)
            yield whole, Batch(torch.empty(0), np.array([row]), sizes=np.array([size]))

    def predict_batch(self, images: Tensor, *, mirrored: bool = False) -> Tensor:
        """The outputs (N, …) of uint8 images (N, H, W, C), float32 on the CPU; see the function `predict_batch`.

        With `mirrored`, probabilities are the means of those of each image and of its mirror image, at twice the cost.
        """
        run = self._ready()
        outputs = predict_batch(run, images, self.preprocessing, self.machine)
        if not mirrored:
            return outputs
        of_mirror_images = predict_batch(run, images.flip(2), self.preprocessing, self.machine)
        return self.task.average([outputs, self.task.unmirror(of_mirror_images)])

    def _ready(self) -> Callable[[Tensor], Tensor]:
        """The net, made ready to run: once, and anew when its tensors have changed since."""
        state = tuple((id(tensor), tensor._version) for tensor in self.net.state_dict(keep_vars=True).values())
        if self._runner is None or self._runner[0] != state:
            size = self.preprocessing.input_size
            self._runner = state, net_runner(self.net, size, self.machine, heads_of(self.net))
        return self._runner[1]

    def run_as(self, other: "Model") -> None:
        """Takes over the net of another model, which is equal to its own, as ready to run as it is there."""
        self.net, self._runner = other.net, other._runner

    def save(self, path: Path | str) -> None:
        """Writes the model as one safetensors file, whole or not at all.

        Raises:
            OSError: it cannot be written; what was there before is still there.
        """
        about = {
            "format_version": FORMAT_VERSION,
            "task": self.task.to_dict(),
            "net": {"name": self.name, "arguments": self.arguments},
            "classes": self.classes,
            "preprocessing": asdict(self.preprocessing),
            "metrics": self.metrics,
            **self.about,
        }
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.net.state_dict().items()}
        metadata = {"format": "pt", "striate": json_text(about)}
        write_whole(Path(path), lambda aside: save_file(tensors, aside, metadata))


def _sources(images: Any) -> tuple[list[Source], bool]:
    """What to decode, and whether several images were asked for: a list of them, or a folder."""
    if isinstance(images, str):
        images = Path(images)
    if isinstance(images, Path) and images.is_dir():
        return list(image_files(images)), True
    if isinstance(images, list):
        return [Path(image) if isinstance(image, str) else image for image in images], True
    return [images], False


def load(path: Path | str, *, device: str = "auto", precision: str = "auto") -> Model:
    """Reads a model file.

    Args:
        path: a file that `Model.save` or `striate train` wrote.
        device: where it shall run; see `striate.device.choose`.
        precision: of its arithmetic; "auto" for that of its training.

    Raises:
        ModelFileError: if the file is not there, not whole, of a later format, or its tensors are not those of its net.
    """
    path = Path(path)
    try:
        tensors, metadata = read(path)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: expected a model file; got nothing there.") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(model_file.why_unread(path, error)) from error
    about, values = model_file.parse(path, metadata)
    task = _task(path, about, values["task"])
    module = _net(path, about, task)
    tensors = renamed(module, tensors)
    if problems := differences(module, tensors):
        raise ModelFileError(f"{path}: expected exactly the tensors of its net; {problems}.")
    problem = not_finite(tensors.items())
    if problem:
        raise ModelFileError(f"{path}: {problem}.")
    module.load_state_dict(tensors, assign=True)
    machine = as_pinned(about.machine.pinned(), device, precision)
    metrics = {key: math.nan if value is None else value for key, value in about.metrics.items()}
    rest = {key: value for key, value in values.items() if key not in OWN_KEYS}
    return Model(
        machine.place(module).eval(),
        about.net.name,
        about.net.arguments,
        task,
        about.preprocessing,
        metrics,
        rest,
        machine,
    )


def _task(path: Path, about: About, values: dict[str, Any]) -> Task:
    if about.task.name not in TASKS:
        shown = fit_to_print(about.task.name, 80)
        raise ModelFileError(f"{path}: expected one of the tasks {', '.join(TASKS)}; got {shown}. Try a newer striate.")
    try:
        return task_from_dict(about.classes, values)
    except (KeyError, TypeError, ValueError) as error:
        shown = fit_to_print(repr(error) if isinstance(error, KeyError) else str(error), 200)
        raise ModelFileError(f"{path}: its metadata is not what striate writes: {shown}.") from error


def _net(path: Path, about: About, task: Task) -> nn.Module:
    """The net, or the ensemble, that a model file describes, without memory for its weights."""
    if not about.members:
        return model_file.agreeing_net(path, about.net, about.preprocessing, task.outputs)
    nets = [model_file.agreeing_net(path, each.net, each.preprocessing, task.outputs) for each in about.members]
    try:
        return Ensemble(
            nets, task, [each.temperature for each in about.members], [each.preprocessing for each in about.members]
        )
    except UsageError as error:
        raise ModelFileError(f"{path}: {error}") from error


@torch.inference_mode()
def predict_batch(
    net: Callable[[Tensor], Tensor], images: Tensor, preprocessing: Preprocessing, machine: Machine
) -> Tensor:
    """The outputs of a network for a batch of images: the one way from pixels to outputs.

    Args:
        net: as `striate.graph.runtime.net_runner` makes it ready to run; or itself, in evaluation mode, where the
            machine has placed it.
        images: (N, H, W, C) uint8, of the size that `preprocessing` has.
        preprocessing: the normalisation.
        machine: the device, memory format and precision.

    Returns:
        (N, …), float32 on the CPU.
    """
    pixels = machine.images(preprocessing.normalise(images.to(machine.device, non_blocking=True)))
    with machine.autocast():
        outputs: Tensor = net(pixels)
    return outputs.float().cpu()
