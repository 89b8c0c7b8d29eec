"""striate weights: published weights, listed, fetched, verified, and converted to files of ours."""

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from striate.cli.flags import JsonOutput
from striate.console import say
from striate.errors import UsageError, WeightsError
from striate.files import fit_to_print, json_text
from striate.recipe.size import height_and_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from striate.data import Preprocessing
    from striate.weights import Manifest

weights = App(name="weights", help="List, fetch, verify and convert published weights.", sort_key=6)


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Which weights are known, and where their files lie."""

    folder: Path | None = None
    """Folder of the files; STRIATE_WEIGHTS, else a cache, unless given."""

    manifests: Path | None = None
    """TOML file with manifests of further weights."""


HERE = Where()
LINE_S = 10.0  # seconds between two lines of progress
DIGESTS = {"whole": "whole", "prefix": "8 digits", "md5": "md5", "none": "none"}


def _known(where: Where) -> "Mapping[str, Manifest]":
    from striate.weights import published

    return published(where.manifests)


def _named(name: str, known: "Mapping[str, Manifest]", folder: Path | None) -> "Manifest":
    from striate.weights import named, unknown_name

    manifest = named(name, known, folder)
    if manifest is None:
        hint = unknown_name(name, known)
        raise UsageError(f"`{fit_to_print(name, 80)}`: expected the name of published weights. {hint}")
    return manifest


@weights.command(name="list")
def list_(*, json_output: JsonOutput = False, where: Where = HERE) -> None:
    """List the weights that striate knows, with their licence, accuracy, and whether their file is here.

    Of a sha256 that is published whole, or in its first 8 digits, or as an md5 in its place, or not at all, these are
    checked; "pinned" is one that is known whole since the file came.

    Args:
        json_output: Print every manifest in full, as JSON for a script.
    """
    import msgspec
    from rich.table import Column, Table

    from striate.console import Page
    from striate.weights import is_here, read_pin, weights_folder

    folder = where.folder or weights_folder()
    known = _known(where)
    here = {name: is_here(manifest, folder) for name, manifest in known.items()}
    pins = {name: read_pin(manifest, folder) for name, manifest in known.items()}
    if json_output:
        rows = [
            msgspec.to_builtins(manifest)
            | {"arch": manifest.arch, "digest": manifest.digest}
            | {"here": here[name], "pin": msgspec.to_builtins(pins[name])}
            for name, manifest in known.items()
        ]
        print(json_text(rows, indent=2))
        return
    number = partial(Column, justify="right", no_wrap=True)
    table = Table(
        Column("name", no_wrap=True), number("MB"), "licence", number("top-1"), "sha256", "here",
        box=None, pad_edge=False,
    )  # fmt: skip
    for name, manifest in known.items():
        table.add_row(
            name,
            f"{manifest.size / 1e6:.1f}" if manifest.size else "",
            manifest.licence,
            f"{manifest.accuracy.top1:.3f}" if manifest.accuracy else "",
            "pinned" if pins[name] and manifest.digest != "whole" else DIGESTS[manifest.digest],
            "yes" if here[name] else _how(manifest),
        )
    console = Page()
    console.print(table)
    console.print(f"folder: {folder}", markup=False, highlight=False, soft_wrap=True)


def _how(manifest: "Manifest") -> str:
    """In a word, how a file comes here."""
    return "install" if manifest.package else "fetch" if manifest.address else "no"


@contextmanager
def _progress(manifest: "Manifest") -> "Iterator[Callable[[int], object]]":
    """Shows the bytes that have come: a bar on a terminal, else a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    total = manifest.size or None
    if console.is_terminal:
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(manifest.name, total=total, visible=False)
            yield lambda size: bar.update(task, completed=size, visible=True)
        return
    next_line = time.monotonic() + LINE_S

    def line(size: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            of = f" of {total / 1e6:,.1f}" if total else ""
            print(fit_to_print(f"{manifest.name}: {size / 1e6:,.1f}{of} MB"), file=sys.stderr, flush=True)
            next_line = time.monotonic() + LINE_S

    yield line


@weights.command
def fetch(name: str, /, *, where: Where = HERE) -> None:
    """Bring the file of published weights to this machine; the only verb that goes to the network.

    Args:
        name: As `striate weights list` gives it, or that of a network: the first of its weights.
    """
    from striate.weights import fetch as bring

    manifest = _named(name, _known(where), where.folder)
    with _progress(manifest) as progress:
        path = bring(manifest, where.folder, progress)
    say(f"{path}: {manifest.name}, as published (licence: {manifest.licence}).")


@weights.command
def verify(*what: str, where: Where = HERE) -> None:
    """Check that files are published weights, by their sha256.

    Args:
        what: Names, as `striate weights list` gives them, or files; all that are here unless given.
    """
    from striate.weights import digest, find, is_here, named, recognised, weights_folder

    known = _known(where)
    folder = where.folder or weights_folder()
    bad = []
    for each in what or [name for name, manifest in known.items() if is_here(manifest, folder)]:
        try:
            path = Path(each)
            if named(each, known, folder) or not path.is_file():
                found = _named(each, known, folder)
                say(f"{find(found, folder)}: {found.name}, as published.")
                continue
            manifest = recognised(path, known.values())
            if manifest is None:
                raise WeightsError(f"{path}: expected published weights; its sha256 {digest(path)} is in no manifest.")
            say(f"{path}: {manifest.name}, as published.")
        except WeightsError as error:
            bad.append(str(error))
    if bad:
        raise WeightsError(" ".join(bad))


@Parameter(name="*")
@dataclass(frozen=True)
class Form:
    """What a file holds, where no manifest says it."""

    layout: str | None = None
    """Whose names and layouts: striate (also torchvision, timm), module, keras, keras_numbered, keras_mobilenet_v1,
    keras_mobilenet_v1_folded, keras_mobilenet_v2, keras_vgg, keras_resnet, keras_resnet50_branches,
    keras_inception_v3, keras_inception_resnet_v2, caffe, caffe_lenet, timm_vgg, timm_mobilenet_v2, fastai_resnet,
    numbered_resnet, numbered_features, transformers_resnet, efficientnet_pytorch; with --model, those that fit unless
    given."""

    model: Annotated[str | None, Parameter(alias="-m")] = None
    """Network, by its name in the catalogue: the result is then a model file, to evaluate and predict with."""

    model_args: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Arguments of the network, such as `--model-args.width 0.5`."""

    img_size: int | str | None = None
    """Size of the images that the network sees, in pixels: 224, or 224x320, height first; its published size unless
    given."""

    in_channels: Literal[1, 3] | None = None
    """1 for grey, 3 for RGB; what the network was published for unless given."""

    crop_pct: float | None = None
    """Share of an image's shorter side that the network sees, around the centre; 0.875 unless given."""

    mean: tuple[float, ...] | None = None
    """Subtracted from each channel, of values 0 to 1; ImageNet's for RGB, 0.5 for grey."""

    std: tuple[float, ...] | None = None
    """Each channel is divided by it; ImageNet's for RGB, 0.5 for grey."""


PLAIN = Form()


@weights.command
def convert(
    file: Path,
    output: Path,
    /,
    *,
    classes: Path | None = None,
    manifests: Path | None = None,
    form: Form = PLAIN,
) -> None:
    """Convert a file of weights to a safetensors file of ours.

    Published weights, by their name or by the sha256 of a file, become a model file. Any other file becomes one with
    `--model`, and a file of tensors without. Of a pickle only tensors are read: none of its code runs.

    Args:
        file: Weights: a file, or a name that `striate weights list` gives.
        output: File to write, .safetensors.
        classes: Text file with the names of the classes, a line each, or the last of its columns where tabs separate
            them; ImageNet's names are known.
        manifests: TOML file with manifests of further weights.
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"OUTPUT: expected a name that ends in .safetensors; got {output}.")
    if output.resolve() == file.resolve():
        raise UsageError(f"OUTPUT: expected another file than FILE; got {output} twice.")
    if form.model is None and not _is_known(file, form, manifests):
        _write_tensors(form, file, output, classes)
    else:
        _write_model(form, file, output, classes, manifests)


def _is_known(file: Path, form: Form, manifests: Path | None) -> bool:
    """Whether these are published weights, by name or by sha256, and no flag says what they are."""
    from striate.weights import named, published, recognised

    known = published(manifests)
    if not file.exists() and named(str(file), known):
        return True
    return form == PLAIN and recognised(file, known.values()) is not None


def _write_tensors(form: Form, file: Path, output: Path, classes: Path | None) -> None:

    from striate.files import write_whole
    from striate.tensors import save_file
    from striate.weights import layout_named, read_tensors

    if classes or form != Form(layout=form.layout):
        raise UsageError("`--model`: expected the network that the other flags are for; got none.")
    tensors = layout_named(form.layout or "striate").convert(read_tensors(file))
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_whole(output, lambda aside: save_file(whole, aside, {"format": "pt"}))
    say(f"{output}: {len(whole)} tensors, {sum(t.numel() for t in whole.values()):,} values.")


def _write_model(form: Form, file: Path, output: Path, classes: Path | None, manifests: Path | None) -> None:
    """Writes a model file of published weights, or of a checkpoint of the net that is named."""
    from striate.device import choose
    from striate.pretrained import pretrained
    from striate.weights import class_names, names_digest

    found = pretrained(file, form.model, form.model_args, layout=form.layout, more=manifests)
    names = class_names(classes) if classes else found.classes
    if not names:
        raise UsageError("`--classes`: expected a file with the names of the classes; got none.")
    if classes and found.classes and names != found.classes:
        raise WeightsError(
            f"{classes}: expected the classes of {found.about['name']} in their order, with sha256 "
            f"{names_digest(found.classes)}; got {len(names)} with {names_digest(names)}."
        )
    found = replace(found, classes=names, preprocessing=_preprocessing(form, found.preprocessing))
    found.model(choose("cpu", "float32")).save(output)
    for sentence in found.said:
        print(fit_to_print(sentence, 2000), file=sys.stderr)
    parameters = sum(parameter.numel() for parameter in found.net.parameters())
    say(f"{output}: a model, {found.about.get('name', found.name)}, {parameters:,} parameters, {len(names):,} classes.")


def _preprocessing(form: Form, own: "Preprocessing") -> "Preprocessing":
    """What the flags say of it, and for the rest what is known of the weights."""
    if form.in_channels not in (None, own.channels):
        raise UsageError(f"`--in-channels`: expected {own.channels}, of the file; got {form.in_channels}.")
    for flag, values in (("mean", form.mean), ("std", form.std)):
        if values is not None and len(values) != own.channels:
            raise UsageError(f"`--{flag}`: expected {own.channels} numbers, one a channel; got {len(values)}.")
    height, width = own.size[::-1] if form.img_size is None else height_and_width(form.img_size, "--img-size")
    return replace(
        own,
        input_size=(own.channels, height, width),
        mean=form.mean or own.mean,
        std=form.std or own.std,
        crop_pct=form.crop_pct or own.crop_pct,
    )
