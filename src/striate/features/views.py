"""What a run keeps of its images: features of the plain view, of the mirrored one, and of random ones."""

import time
from collections.abc import Callable, Sequence

from striate.augment import Augmentation
from striate.data import Rows, View
from striate.data.views import EvaluationView
from striate.errors import DataError, UsageError
from striate.features.extraction import Features, MirroredView, drawn_views, extract_views, layout_of
from striate.features.store import GB
from striate.graph.parts import Prefix
from striate.training.run import Run

BY = {"torch": "by PyTorch", "openvino": "by OpenVINO"}


def views(run: Run, count: int) -> list[View]:
    """So many views of an image, that of evaluation first; that one alone where nothing is augmented."""
    shown = run.preprocessing
    if run.augment == Augmentation():
        return [EvaluationView(shown)]
    mirrored: list[View] = [MirroredView(shown)] if run.augment.mirror or run.augment.mirror_alternating else []
    drawn = drawn_views(run.recipe.augment, shown, run.recipe.split_seed, count)
    return [EvaluationView(shown), *mirrored, *drawn][:count]


def plain_view(run: Run) -> View:
    """The view of evaluation."""
    return EvaluationView(run.preprocessing)


def features_of(
    run: Run,
    rows: Rows,
    prefix: Prefix,
    shown: Sequence[View],
    what: str,
    wider: Callable[[], Prefix] | None = None,
) -> list[Features]:
    """What the frozen part makes of images, for each view, computed where the cache lacks it.

    Args:
        run: of which the images are.
        rows: (N,) of its index; each has been read before.
        prefix: the frozen part.
        shown: the views.
        what: to call the images.
        wider: as `extract_views` takes it.

    Raises:
        UsageError: all of it would not fit in the cache.
        DataError: an image can no longer be read.
    """
    _require_room(run, len(rows) * len(shown), prefix)
    started = time.perf_counter()
    with run.reporter.progress(f"features of {what}", len(rows) * len(shown), "views") as advance:
        found = run.processes.one_a_host_first(
            lambda: extract_views(
                run.index,
                rows,
                prefix,
                run.preprocessing,
                run.machine,
                shown,
                wider=wider,
                max_pixels=run.recipe.data.max_pixels,
                workers=run.workers,
                budget=run.recipe.data.cache_budget,
                log=run.reporter.info,
                advance=lambda count: advance(count, ""),
            )
        )
    for features in found:
        for row, reason in features.unreadable.items():
            path = run.index.paths([row])[0]
            raise DataError(f"{path}: cannot be read: {reason}. Did it change since the check?")
    computed, noun = sum(features.computed for features in found), "view" if len(shown) == 1 else "views"
    kept = len(rows) * len(shown) - computed
    run.reporter.info(
        f"features of {what}: {len(rows):,} images in {len(shown)} {noun}; {computed:,} computed, "
        f"{kept:,} from the cache; {BY[run.machine.runtime]}; {time.perf_counter() - started:.1f} s"
    )
    return found


def _require_room(run: Run, entries: int, prefix: Prefix) -> None:
    size = entries * layout_of(prefix, run.preprocessing, run.machine).entry().itemsize / GB
    budget = run.recipe.data.cache_budget
    if size > budget:
        raise UsageError(
            f"`cache_budget`: expected {size:.1f} gigabytes or more, for what frozen stages give; got {budget}. "
            "Try a later --freeze, fewer --views, or --views 0, which keeps nothing."
        )
