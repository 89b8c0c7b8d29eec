"""Everything that a report says, gathered from an evaluation, a run folder and a few seconds of measuring."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from striate.evaluation import Evaluation, Scored, summarise
from striate.evaluation.doubtful import doubtful
from striate.evaluation.record import Example
from striate.model import Model
from striate.report.advice import WANTED, Advice, advise
from striate.report.cost import Cost, measure
from striate.report.facts import Facts
from striate.report.gallery import Gallery, gallery
from striate.report.history import history
from striate.report.verdict import Verdict, verdict
from striate.training.folder import RunFolder

SHOWN = 12  # of the images that were answered worst


@dataclass(frozen=True)
class Report:
    """Everything that a report says."""

    facts: Facts
    verdict: Verdict
    advice: tuple[Advice, ...]
    cost: Cost
    worst: tuple[tuple[int, Example], ...]
    """The images that were answered worst, with their rows of the index, the worst first."""

    gallery: Gallery
    doubtful: frozenset[int]
    """Rows whose label may be wrong."""

    model: Model
    file: Path
    """The model's file, as commands name it."""

    @property
    def evaluation(self) -> Evaluation:
        """The record of the evaluation."""
        return self.facts.evaluation


def report(scored: Scored, file: Path, folder: RunFolder | None = None, workers: int | None = None) -> Report:
    """Gathers a report.

    Args:
        scored: as `striate.evaluation.evaluate` gives it.
        file: of the model.
        folder: of the run that made the model and whose images were scored; None where it is not at hand.
        workers: threads that decode; one a core unless given.
    """
    model = scored.model
    cost = measure(model, file)
    evaluation = summarise(scored, abstain_at=WANTED)
    places = doubtful(scored.graded, len(scored.classes)) if scored.graded is not None else np.empty(0, np.int64)
    facts = Facts(
        evaluation,
        history(model, folder, scored.index if folder is not None else None),
        doubtful=len(places),
        learned_from=_learned_from(scored, folder),
    )
    wrong = [example for example in evaluation.worst if not example.score >= 1][:SHOWN]
    rows = _rows(scored, wrong)
    return Report(
        facts=facts,
        verdict=verdict(facts),
        advice=tuple(advise(facts, str(file), "DATA")),
        cost=cost,
        worst=tuple(zip(rows, wrong, strict=True)),
        gallery=gallery(scored, rows, workers),
        doubtful=frozenset(scored.rows[places].tolist()),
        model=model,
        file=file,
    )


def _rows(scored: Scored, examples: list[Example]) -> list[int]:
    """The row of each example among those that were scored."""
    paths = scored.index.table["path"].take(pa.array(scored.rows))
    places = pc.index_in(pa.array([each.path for each in examples], pa.string()), value_set=paths.combine_chunks())
    return [int(row) for row in scored.rows[np.asarray(places, np.int64)]] if examples else []


def _learned_from(scored: Scored, folder: RunFolder | None) -> bool:
    """Whether images that the model learned from were scored: the training split, or all of the run's own data."""
    own = folder is not None or scored.model.about.get("data") == scored.index.fingerprint()
    return scored.split in ("train", "all") and own
