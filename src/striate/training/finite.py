"""What to do with numbers that are not finite: leave the step out, or end the run with a sentence."""

import math
from collections.abc import Iterable

from torch import Tensor

from striate.data import Batch
from striate.errors import TrainingError
from striate.training.run import Run
from striate.training.saver import Saver
from striate.training.state import Progress


class FiniteNumbers:
    """Watches a run's numbers. All processes see the same ones, and decide alike."""

    def __init__(self, run: Run, progress: Progress, saver: Saver) -> None:
        self._run = run
        self._progress = progress
        self._saver = saver

    def accept(self, loss: float, gradient_norm: Tensor | None, batch: Batch) -> bool:
        """Whether a step can be taken; False where it is left out, which is counted and told.

        Args:
            loss: the batch's.
            gradient_norm: (), where it is known.
            batch: this process's share of the batch, whose files are named.

        Raises:
            TrainingError: if it cannot, and no more such steps may be left out.
        """
        fault = _fault(loss, gradient_norm)
        if fault is None:
            return True
        run, progress, limit = self._run, self._progress, self._run.recipe.training.skip_bad_steps
        rows = [row for rows in run.processes.gather(batch.rows.tolist()) for row in rows]
        files = f"Images of the batch: {', '.join(run.index.paths(rows))}"
        if progress.skipped >= limit:
            raise TrainingError(f"step {progress.step}: {fault} {self._advice()} {files}")
        progress.skipped += 1
        run.reporter.info(f"step {progress.step}: {fault} Skipped, as {progress.skipped} of at most {limit}. {files}")
        return False

    def require(self, what: str, tensors: Iterable[Tensor]) -> None:
        """Stops before a network that went wrong in the last step of an epoch is kept.

        Raises:
            TrainingError: if a value is not finite.
        """
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            step = self._progress.step - 1
            raise TrainingError(f"after step {step}: expected finite {what}; got some that are not. {self._advice()}")

    def _advice(self) -> str:
        return (
            f"Try a lower --lr, --clip-grad 1 or --precision float32. Last good checkpoint: {self._saver.last_good()}."
        )


def _fault(loss: float, gradient_norm: Tensor | None) -> str | None:
    if not math.isfinite(loss):
        return f"expected a finite loss; got {loss}."
    if gradient_norm is not None and not math.isfinite(norm := gradient_norm.item()):
        return f"expected a finite gradient; got one of norm {norm}."
    return None
