"""Bringing published weights to this machine: the one place that opens a connection."""

import hashlib
import importlib
import shutil
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError

from striate.errors import WeightsError
from striate.files import write_whole
from striate.weights.manifest import Hub, Manifest
from striate.weights.store import find, is_here, require_published, verify, weights_folder

CHUNK = 1 << 20
TIMEOUT_S = 30.0
Progress = Callable[[int], object]  # called with the bytes that have come so far


def fetch(manifest: Manifest, folder: Path | None = None, progress: Progress = lambda _: None) -> Path:
    """Brings the file of a manifest into `folder` (else `weights_folder`), whole and as published, or not at all.

    A file that is there already is verified and kept.

    Raises:
        WeightsError: there is no address, nothing can be had from it, or what comes is not as published.
    """
    if is_here(manifest, folder):
        return find(manifest, folder)
    folder = folder or weights_folder()
    if not manifest.url and manifest.hub is None:
        raise WeightsError(
            f"{manifest.name}: no address to fetch it from is known; expected a copy of {manifest.file} "
            f"(from {manifest.source}) in {folder}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / manifest.file
    if manifest.hub is not None:
        cached = _from_hub(manifest.name, manifest.hub)
        verify(manifest, cached)
        write_whole(path, lambda aside: shutil.copyfile(cached, aside))
    else:
        write_whole(path, lambda aside: _download(manifest, aside, progress))
    return find(manifest, folder)


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
    require_published(manifest, found, path.stat().st_size, manifest.url)


def _copy(response: BinaryIO, file: BinaryIO, manifest: Manifest, progress: Progress) -> str:
    """Copies no more than the manifest promises, and gives the sha256."""
    sha256, size = hashlib.sha256(), 0
    while chunk := response.read(CHUNK):
        size += len(chunk)
        if size > manifest.size + manifest.size_within:
            raise WeightsError(f"{manifest.url}: expected {manifest.size:,} bytes; got more. It is another file.")
        sha256.update(chunk)
        file.write(chunk)
        progress(size)
    return sha256.hexdigest()
