"""Bringing published weights to this machine: with `download`, the one place that opens a connection."""

from pathlib import Path

from filelock import FileLock, Timeout

from striate.caches import ends_with_process
from striate.errors import WeightsError
from striate.files import fit_to_print
from striate.weights.download import DEFAULT, Limits, Progress, download
from striate.weights.manifest import Manifest
from striate.weights.read import require_readable
from striate.weights.store import Pin, find, hint, is_here, keep, read_pin, require_published, weights_folder


def fetch(
    manifest: Manifest, folder: Path | None = None, progress: Progress = lambda _: None, limits: Limits = DEFAULT
) -> Path:
    """Brings the file of a manifest into `folder` (else `weights_folder`), whole and as published, or not at all.

    A file that is here already is verified and stays. What has come when a download breaks off stays as FILE.part, and
    the next call goes on from there. Of a pickle, the tensors are kept as safetensors.

    Args:
        manifest: of published weights.
        folder: where to keep the file.
        progress: called with the bytes that have come so far.
        limits: how long to wait for a server.

    Returns:
        The file that is kept.

    Raises:
        WeightsError: there is no address, or no folder that stays; nothing can be had from there; or what comes is not
            as published.
    """
    if is_here(manifest, folder):
        return find(manifest, folder)
    folder = folder or weights_folder()
    if not manifest.address:
        raise WeightsError(
            f"{manifest.name}: no address to fetch it from is known; expected a copy of {manifest.file} "
            f"(from {manifest.source}) in {folder}.{f' {hint(manifest)}' if manifest.package else ''}"
        )
    require_readable(manifest.file)
    if ends_with_process(folder):
        raise WeightsError(
            f"{manifest.name}: expected a folder to keep it in; got none, because there is no home folder. "
            "Try STRIATE_WEIGHTS=FOLDER."
        )
    lock = folder / f".{manifest.file}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=0):
            try:
                return _fetch(manifest, folder, progress, limits)
            finally:
                lock.unlink(missing_ok=True)
    except Timeout as error:
        raise WeightsError(f"{manifest.name}: another process is fetching it into {folder}. Try again then.") from error
    except OSError as error:
        reason = fit_to_print(error.strerror or str(error), 200)
        raise WeightsError(f"{manifest.name}: expected a folder that can be written, {folder}; {reason}.") from error


def _fetch(manifest: Manifest, folder: Path, progress: Progress, limits: Limits) -> Path:
    path, pin = folder / manifest.file, read_pin(manifest, folder)
    part = folder / f"{manifest.file}.part"
    _download(manifest, part, pin, progress, limits)
    if manifest.kept == manifest.file:
        part.replace(path)
        return find(manifest, folder)
    try:
        kept = keep(manifest, part, folder)
    except WeightsError:
        part.unlink(missing_ok=True)
        raise
    part.unlink(missing_ok=True)  # only now: a disk without room for the tensors may get some, and need not fetch again
    return kept


def _download(manifest: Manifest, part: Path, pin: Pin | None, progress: Progress, limits: Limits) -> None:
    """Brings what was published to `part`; what came in parts, as of two files, is brought anew once."""
    for again in (True, False):
        came = download(manifest.address, part, manifest.most_bytes, progress, limits)
        try:
            require_published(manifest, part, came.sha256, manifest.address, pin)
            return
        except WeightsError:
            part.unlink()
            if not (came.continued and again):
                raise
