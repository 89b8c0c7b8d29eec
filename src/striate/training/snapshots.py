"""Snapshots: the model at the end of each fall of the learning rate, which in the end answer together.

Source: Huang et al. 2017, "Snapshot ensembles: train 1, get M for free", arXiv:1704.00109.
"""

from collections.abc import Mapping

from striate.ensemble import combined
from striate.errors import UsageError
from striate.model import load
from striate.training.run import Run
from striate.training.state import State


def keep_snapshot(run: Run, state: State, metrics: Mapping[str, float]) -> None:
    """Writes the model as a file of its own, where an epoch is the last before the learning rate rises again."""
    training, epoch = run.recipe.training, state.progress.epoch
    if training.snapshots == 1 or epoch % (training.epochs // training.snapshots) or not run.processes.first:
        return
    run.folder.snapshots.mkdir(exist_ok=True)
    number = epoch // (training.epochs // training.snapshots)
    run.model(state.evaluated, dict(metrics), epoch=epoch).save(run.folder.snapshots / f"{number}.safetensors")


def combine_snapshots(run: Run) -> None:
    """Makes the run's model file that of an ensemble of its snapshots, where it keeps any."""
    count = run.recipe.training.snapshots
    if count == 1 or not run.processes.first:
        return
    paths = [run.folder.snapshots / f"{number + 1}.safetensors" for number in range(count)]
    combined([load(path, device=run.machine.device.type) for path in paths]).save(run.folder.model)
    run.reporter.info(f"the model is an ensemble of {count} snapshots: {run.folder.snapshots}")


def require_no_snapshots(run: Run) -> None:
    """Refuses snapshots of a network whose head is fitted in one step.

    Raises:
        UsageError: if the recipe asks for more than one.
    """
    if run.recipe.training.snapshots > 1:
        raise UsageError(
            "`snapshots`: expected a network that learns in epochs; got one whose head is fitted in one step. "
            "Try --freeze none."
        )
