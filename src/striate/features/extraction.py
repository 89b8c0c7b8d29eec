"""The feature cache: what the frozen part of a net makes of each image, computed once.

An entry is kept under everything that decides it: the layers and their weights, the preprocessing, what is shown of
the image, how the machine computes, and the bytes of the image's file. Change one, and another entry is asked for.
"""

import functools
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.augment import Map, Size
from striate.augment.geometry import mirror
from striate.caches import cache_folder
from striate.data import Index, IndexedImages, Loader, Preprocessing, Rows, View, batches, training_view
from striate.data.identity import digests
from striate.data.paths import file_and_number, file_of
from striate.data.views import EvaluationView
from striate.device import Machine
from striate.features.store import Layout, Log, Place, Store, remove_oldest
from striate.graph.meta import Shapes, skeleton
from striate.graph.parts import Prefix, fingerprint
from striate.graph.runtime import Extractor, extractor
from striate.recipe import AugmentRecipe
from striate.recipe.ranges import MAX_PIXELS

VERSION = 3  # of what an entry holds; another one asks for other entries
BATCH_SIZE = 32  # images: enough to fill the matrix units
CHANGED = "it cannot be read, or changed while it was"
Stamp = tuple[int, int, int, int] | None  # of a file: size, two times, inode


@dataclass(frozen=True)
class Features:
    """What a frozen part of a net made of images, in files that are mapped into memory."""

    rows: Rows
    """(N,) of the index: those asked for, in order, without the unreadable."""

    unreadable: dict[int, str]
    """The reason of each row that is left out."""

    computed: int
    """How many images had to be computed; the others were there."""

    layout: Layout
    entries: tuple[NDArray[np.void], ...]
    """The entries of each file."""

    places: NDArray[np.int64]
    """(N, 2): the file and the entry of each row."""

    run_s: float | None = None
    """Seconds an image that the frozen part took, in the fastest batch but the first; None where none was timed."""

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, which: slice | NDArray[np.int64] = slice(None)) -> tuple[Tensor, ...]:
        """The values (N, …) of some rows, in the precision that they are kept in.

        Args:
            which: numbers from 0, below the number of rows; all unless given.
        """
        places = self.places[which]
        chosen = np.empty(len(places), self.layout.entry())
        for number, entries in enumerate(self.entries):
            of_file = places[:, 0] == number
            chosen[of_file] = entries[places[of_file, 1]]
        return self.layout.unpack(chosen)

    def vectors(self) -> Tensor:
        """(N, D), float32: the vectors of all depths, side by side."""
        return torch.cat([value.float().flatten(1) for value in self.values()], dim=1)


@dataclass(frozen=True)
class MirroredView:
    """What evaluation sees of each image, left and right swapped; its features are those of the swapped pixels."""

    preprocessing: Preprocessing
    draws_colour: bool = False

    @property
    def unswapped(self) -> EvaluationView:
        """What is decoded for it."""
        return EvaluationView(self.preprocessing)

    def __call__(self, row: int, source: Size) -> tuple[Map, None]:
        """The same for every row."""
        shown = self.preprocessing
        return Map(shown.map(source).matrix @ mirror(shown.size[0])), None


def drawn_views(augment: AugmentRecipe, preprocessing: Preprocessing, seed: int, count: int) -> list[View]:
    """So many random views of each image, to be extracted one after the other.

    Args:
        augment: what to draw.
        preprocessing: size and channels.
        seed: from 0, below 2^63.
        count: how many.
    """
    return [training_view(augment, preprocessing, seed, number) for number in range(count)]


@dataclass(frozen=True)
class ByContent:
    """A view that draws by what an image's file holds, not by its row: a new image before it changes nothing."""

    view: View
    contents: dict[int, bytes]

    @property
    def draws_colour(self) -> bool:
        """Whether the view does."""
        return self.view.draws_colour

    def __call__(self, row: int, source: Size) -> tuple[Map, NDArray[np.float32] | None]:
        """The view's, of the row that the contents make."""
        return self.view(int.from_bytes(self.contents[row][:7]), source)


def extract(
    index: Index,
    rows: Rows,
    prefix: Prefix,
    preprocessing: Preprocessing,
    machine: Machine,
    *,
    view: View | None = None,
    **more: Any,
) -> Features:
    """As `extract_views`, of one view: what evaluation sees unless given."""
    shown = view or EvaluationView(preprocessing)
    [found] = extract_views(index, rows, prefix, preprocessing, machine, [shown], **more)
    return found


def extract_views(
    index: Index,
    rows: Rows,
    prefix: Prefix,
    preprocessing: Preprocessing,
    machine: Machine,
    views: Sequence[View],
    *,
    wider: Callable[[], Prefix] | None = None,
    max_pixels: int = MAX_PIXELS,
    workers: int = 1,
    budget: float = 8.0,
    log: Log = print,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Features]:
    """What a frozen part of a net makes of images, from the cache where it is there.

    Args:
        index: of the images.
        rows: (N,) of the index.
        prefix: as `cut` or `vectors` gives it.
        preprocessing: of the images.
        machine: where and in which precision.
        views: what is shown of each image. The `repr` of each says all that decides it. Where that of evaluation is
            followed by the mirrored one, an image is decoded once for both.
        wider: makes a part of which the last value is all that `prefix` gives; what the cache has of it is taken from
            there. It is asked for where an image is missing, and the cache has something else.
        max_pixels: an image of more is not read.
        workers: threads that decode.
        budget: most gigabytes that all features may take on the disk; the longest unused are removed.
        log: is told what is wrong with the cache.
        advance: called with the number of views of images done since the last call.

    Raises:
        StriateError: the disk is full, or a value is beyond the range of float16.
    """
    stamps = _stamps(index, rows)  # before any byte is read
    known = digests(index, rows, cache_folder("digests"), workers=workers)
    contents = {row: digest for row, digest in zip(rows.tolist(), known, strict=True) if digest is not None}
    store_of = _stores(prefix, preprocessing, machine, log)
    wider_of = None if wider is None else functools.cache(lambda: _stores(wider(), preprocessing, machine, log))
    kept = [_Kept.find(contents, view, store_of(view), wider_of) for view in views]
    advance(sum(len(rows) - len(each.missing) for each in kept))
    images, run = IndexedImages(index, max_pixels), functools.cache(lambda: extractor(prefix, machine))
    for each, after in zip(kept, [*kept[1:], None], strict=True):
        order = batches(np.array(list(each.missing.values()), np.int64), BATCH_SIZE)
        decoded = each.view.unswapped if isinstance(each.view, MirroredView) else each.view
        shown = ByContent(decoded, contents)
        loader = Loader(images, order, preprocessing, shown, workers=workers, unreadable=each.reasons)
        beside = (
            after if isinstance(each.view, EvaluationView) and isinstance(after and after.view, MirroredView) else None
        )
        if len(loader):
            _compute(index, loader, run(), machine, each, beside, stamps, contents, advance)
    for each in kept:
        if each.places:
            os.utime(each.store.folder)  # the latest used
            remove_oldest(each.store.folder.parent, budget, each.store.folder)
    return [_features(rows, contents, each) for each in kept]


@dataclass
class _Kept:
    """What the cache has of one view of images."""

    view: View
    store: Store
    places: dict[bytes, Place]
    missing: dict[bytes, int]
    """A row for each digest that has to be computed; those that were computed beside another view are gone."""

    computed: int
    """How many were missing."""

    reasons: dict[int, str] = field(default_factory=dict)
    """Why rows cannot be read."""

    run_s: float | None = None
    """As `Features` has it."""

    @staticmethod
    def find(
        contents: dict[int, bytes], view: View, store: Store, wider_of: Callable[[], Callable[[View], Store]] | None
    ) -> "_Kept":
        """Looks for all images by what their files hold."""
        places, wanted = store.find(contents.values()), set(contents.values())
        if wider_of is not None and not places.keys() >= wanted and _has_others(store):
            places |= _last_values(wider_of()(view), wanted - places.keys(), store)
        missing = {digest: row for row, digest in contents.items() if digest not in places}
        return _Kept(view, store, places, missing, len(missing))


def _compute(
    index: Index,
    loader: Loader,
    run: Extractor,
    machine: Machine,
    kept: _Kept,
    mirrored: _Kept | None,
    stamps: dict[int, Stamp],
    contents: dict[int, bytes],
    advance: Callable[[int], None],
) -> None:
    """Adds what a frozen part makes of the loader's images, and of their mirror images where those are missing."""
    stores = [kept] if mirrored is None else [kept, mirrored]
    seconds: list[float] = []  # an image
    with ExitStack() as opened:
        writers = [opened.enter_context(each.store.writer()) for each in stores]
        for batch in loader:
            images = batch.images.to(machine.device, non_blocking=True)
            normalised = loader.preprocessing.normalise(images, batch.colour)
            for each, writer in zip(stores, writers, strict=True):
                wanted = np.array([contents[row] in each.missing for row in batch.rows.tolist()])
                if not wanted.any():
                    continue
                started = time.perf_counter()
                values = run(normalised.flip(3) if isinstance(each.view, MirroredView) else normalised)
                seconds.append((time.perf_counter() - started) / len(images))
                good = wanted & _good(index, batch.rows, stamps, kept.reasons)
                writer.add([contents[row] for row in batch.rows[good].tolist()], [value[good] for value in values])
                advance(int(wanted.sum()))
        for each, writer in zip(stores, writers, strict=True):
            each.places |= writer.places()
    if len(seconds) > 1 and machine.device.type == "cpu":  # elsewhere it is not done when the call is
        kept.run_s = min(seconds[1:])
    if mirrored is not None:
        done = kept.missing.keys() & mirrored.missing.keys()
        mirrored.reasons |= {row: reason for row, reason in kept.reasons.items() if contents[row] in done}
        mirrored.missing = {digest: row for digest, row in mirrored.missing.items() if digest not in done}


def _stores(prefix: Prefix, preprocessing: Preprocessing, machine: Machine, log: Log) -> Callable[[View], Store]:
    """Where the values of one frozen part are kept, by the view, of one preprocessing and precision."""
    name, layout = fingerprint(prefix), layout_of(prefix, preprocessing, machine)

    def of(view: View) -> Store:
        key = repr((VERSION, name, preprocessing, view, sorted(machine.pinned().items()), layout))
        return Store(cache_folder("features") / hashlib.blake2b(key.encode(), digest_size=16).hexdigest(), layout, log)

    return of


def _has_others(store: Store) -> bool:
    """Whether the cache has values of another frozen part, view, preprocessing or precision."""
    root = store.folder.parent
    return root.is_dir() and any(folder != store.folder for folder in root.iterdir())


def _last_values(wider: Store, wanted: set[bytes], store: Store) -> dict[bytes, Place]:
    """Adds to a store the last value of each wanted entry that a wider one has."""
    found = wider.find(wanted)
    if not found:
        return {}
    last = [wider.layout.unpack(entries[place : place + 1])[-1] for entries, place in found.values()]
    with store.writer() as writer:
        writer.add(list(found), [torch.cat(last)])
        return writer.places()


def layout_of(prefix: Prefix, preprocessing: Preprocessing, machine: Machine) -> Layout:
    """The values of one image: bfloat16 loses nothing of what was computed in it, float16 least of float32."""
    with Shapes():
        values = skeleton(prefix)(torch.empty(1, *preprocessing.input_size, device="meta"))
    kept = torch.bfloat16 if machine.precision == "bfloat16" else torch.float16
    dtypes = tuple(kept if value.is_floating_point() else value.dtype for value in values)
    return Layout(tuple(tuple(value.shape[1:]) for value in values), dtypes)


def _good(index: Index, rows: Rows, stamps: dict[int, Stamp], reasons: dict[int, str]) -> NDArray[np.bool_]:
    """(N,) which rows were read, from files that are still what their digests are of; notes why not."""
    now = _stamps(index, rows)
    for row in rows.tolist():
        if now[row] != stamps[row]:
            reasons[row] = CHANGED
    return np.array([row not in reasons for row in rows.tolist()], bool)


def _stamps(index: Index, rows: Rows) -> dict[int, Stamp]:
    """What tells whether the file of each row changed; None where it is not there."""
    files = [file_of(index.root, file_and_number(path)[0]) for path in index.paths(rows)]
    of_file = {file: _stamp(file) for file in dict.fromkeys(files)}
    return {row: of_file[file] for row, file in zip(rows.tolist(), files, strict=True)}


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _features(rows: Rows, contents: dict[int, bytes], kept: _Kept) -> Features:
    """Those of the rows that were asked for: kept by what their files hold, or left out for a reason."""
    found, bad = kept.places, {contents[row]: reason for row, reason in kept.reasons.items()}
    unreadable = {
        row: bad.get(contents.get(row, b""), CHANGED) for row in rows.tolist() if contents.get(row, b"") not in found
    }
    readable = np.array([row for row in rows.tolist() if row not in unreadable], np.int64)
    places = [found[contents[row]] for row in readable.tolist()]
    files = {id(entries): entries for entries, _ in places}
    number = {key: i for i, key in enumerate(files)}
    table = np.array([(number[id(entries)], place) for entries, place in places], np.int64).reshape(-1, 2)
    return Features(readable, unreadable, kept.computed, kept.store.layout, tuple(files.values()), table, kept.run_s)
