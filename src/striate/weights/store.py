"""Files of published weights on this machine: where they lie, whether they are as published, and fetching them."""

import hashlib
import importlib
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError

from striate.errors import WeightsError
from striate.files import cache_folder, write_whole
from striate.weights.manifest import Hub, Manifest

CHUNK = 1 << 20
TIMEOUT_S = 30.0
Progress = Callable[[int], object]  # called with the bytes that have come so far


def weights_folder() -> Path:
    """Where fetched files lie, and where others are looked for: the environment's STRIATE_WEIGHTS, else a cache."""
    named = os.environ.get("STRIATE_WEIGHTS")
    return Path(named) if named else cache_folder("weights")


def digest(path: Path) -> str:
    """The sha256 of a file, as hexadecimal digits.

    Raises:
        WeightsError: nothing is there.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: expected a file of weights; got nothing there.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recognised(path: Path, manifests: Iterable[Manifest]) -> Manifest | None:
    """The manifest that a file is as published of, by its sha256; None where it is of none.

    Raises:
        WeightsError: nothing is there.
    """
    found = digest(path)
    return next((manifest for manifest in manifests if manifest.sha256 == found), None)


def verify(manifest: Manifest, path: Path) -> None:
    """Does nothing where the file is as published.

    Raises:
        WeightsError: it is not, or not there.
    """
    _require(manifest, digest(path), path)


def _require(manifest: Manifest, found: str, where: Path | str) -> None:
    if found != manifest.sha256:
        raise WeightsError(
            f"{where}: expected {manifest.name}, with sha256 {manifest.sha256}; got {found}. "
            "It is another file, or not whole: remove it and get it anew."
        )


def find(manifest: Manifest, folder: Path | None = None) -> Path:
    """The file of a manifest in `folder` (else `weights_folder`), once it is known to be as published.

    Raises:
        WeightsError: it is not there, or not as published.
    """
    folder = folder or weights_folder()
    path = folder / manifest.file
    if not path.is_file():
        hint = "No address to fetch it from is known."
        if manifest.url or manifest.hub:
            hint = f"Try `striate weights fetch {manifest.name}`."
        raise WeightsError(f"{manifest.name}: expected {manifest.file} in {folder}; got nothing there. {hint}")
    verify(manifest, path)
    return path


def fetch(manifest: Manifest, folder: Path | None = None, progress: Progress = lambda _: None) -> Path:
    """Brings the file of a manifest into `folder` (else `weights_folder`), whole and as published, or not at all.

    A file that is there already is verified and kept.

    Raises:
        WeightsError: there is no address, nothing can be had from it, or what comes is not as published.
    """
    folder = folder or weights_folder()
    path = folder / manifest.file
    if path.exists():
        return find(manifest, folder)
    if not manifest.url and manifest.hub is None:
        raise WeightsError(
            f"{manifest.name}: no address to fetch it from is known; expected a copy of {manifest.file} "
            f"(from {manifest.source}) in {folder}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    if manifest.hub is not None:
        cached = _from_hub(manifest.name, manifest.hub)
        verify(manifest, cached)
        write_whole(path, lambda aside: shutil.copyfile(cached, aside))
    else:
        write_whole(path, lambda aside: _download(manifest, aside, progress))
    return path


def _from_hub(name: str, hub: Hub) -> Path:
    try:
        client = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise WeightsError(
            f"{name}: it lies on the Hugging Face hub; expected huggingface-hub to be installed. "
            "Try `pip install 'striate[hub]'`."
        ) from error
    try:
        return Path(client.hf_hub_download(repo_id=hub.repo, filename=hub.file, revision=hub.revision))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{name}: expected {hub.file} of {hub.repo} on the Hugging Face hub; {error}.") from error


def _download(manifest: Manifest, path: Path, progress: Progress) -> None:
    try:
        with urllib.request.urlopen(manifest.url, timeout=TIMEOUT_S) as response, path.open("wb") as file:
            found = _copy(response, file, manifest, progress)
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the connection, too
        raise WeightsError(f"{manifest.name}: expected {manifest.file} at {manifest.url}; {error}.") from error
    _require(manifest, found, manifest.url)


def _copy(response: BinaryIO, file: BinaryIO, manifest: Manifest, progress: Progress) -> str:
    """Copies no more than the manifest promises, and gives the sha256."""
    sha256, size = hashlib.sha256(), 0
    while chunk := response.read(CHUNK):
        size += len(chunk)
        if size > manifest.size:
            raise WeightsError(f"{manifest.url}: expected {manifest.size:,} bytes; got more. It is another file.")
        sha256.update(chunk)
        file.write(chunk)
        progress(size)
    return sha256.hexdigest()
