"""Runs a study: every arm of a seed, then the next seed, for as long as there is time."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from striate.console import Reporter
from striate.studies.numbers import Numbers, Value
from striate.studies.result import Result, digest, machine, rounded
from striate.studies.study import Study, Trial

MOST_SEEDS = 10  # or a study's own number; with more time than these need, trainings become longer


@dataclass(frozen=True)
class Plan:
    """How a study is fitted into the time there is."""

    seeds: int
    scale: float
    minutes: float | None = None
    """After which no further seed begins; None for no limit."""


def plan(study: Study, minutes: float | None = None, seeds: int | None = None, needs: float | None = None) -> Plan:
    """Seeds and length of a run: with less time fewer seeds, down to one, and then shorter trainings.

    Args:
        study: to run.
        minutes: there are; those of the short form unless given.
        seeds: to run, whatever the time says.
        needs: minutes that the short form took before; None where that is not known.
    """
    if seeds is not None or minutes is None:
        return Plan(seeds or study.seeds, 1.0, minutes)
    if needs is None or not study.chance:
        return Plan(study.seeds, 1.0, minutes)
    factor = minutes / max(needs, 1e-3)
    most = max(MOST_SEEDS, study.seeds)
    fitting = max(1, min(most, int(study.seeds * factor)))
    left = study.seeds * factor / fitting  # of the time of a seed of the short form
    scale = min(left, 1.0) if fitting == 1 else left if fitting == most else 1.0
    return Plan(fitting, max(0.05, round(min(scale, 20.0), 2)), minutes)


def run(study: Study, data: Path | None, plan: Plan, reporter: Reporter | None = None) -> Result:
    """Makes a study's numbers. Without data, arms on images that do not come with striate are left out.

    Args:
        study: to run.
        data: where its images are, see `Source.load`.
        plan: of the seeds.
        reporter: shows how far it is; says nothing unless given.

    Raises:
        UsageError, DataError: if the images are not there, and nothing can be run without them.
    """
    started, used, code = time.monotonic(), time.process_time(), digest(study.name)
    left_out = study.left_out(data)
    images = {source: source.load(data) for source in (study.brought() if left_out else study.sources)}
    arms = {name: arm for name, arm in study.arms.items() if name not in left_out}
    values: dict[str, dict[str, list[Value]]] = {arm: {} for arm in study.arms}
    done: list[int] = []
    with (reporter or Reporter.silent()).progress(study.name, plan.seeds * len(arms), "runs") as advance:
        for seed in range(plan.seeds):
            if done and plan.minutes is not None and not _fits(started, len(done), plan.minutes):
                break
            for name, arm in arms.items():
                torch.manual_seed(seed)
                for measure, value in arm(Trial(seed, plan.scale, images)).items():
                    values[name].setdefault(measure, []).append(rounded(value))
                advance(1, name)
            done.append(seed)
    seconds = round(time.process_time() - used, 1)
    return Result(study.name, code, done, plan.scale, seconds, machine(), Numbers(values))


def _fits(started: float, seeds: int, minutes: float) -> bool:
    """Whether another seed, as long as those before it, ends in time."""
    spent = time.monotonic() - started
    return spent + spent / seeds <= 60 * minutes
