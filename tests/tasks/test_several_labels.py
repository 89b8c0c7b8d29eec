import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score

from striate.tasks.several_labels import DRAWS, _drawn_precisions, scores

RNG = np.random.default_rng(0)
LABELS = (RNG.random((300, 3)) < (0.5, 0.3, 0.1)).astype(np.float64)
VALUES = LABELS + 0.7 * RNG.normal(size=LABELS.shape)
LOGITS, TARGETS = torch.from_numpy(2 * VALUES - 1).float(), torch.from_numpy(LABELS).float()


def test_a_draw_is_scored_as_scikit_learn_scores_its_images() -> None:
    drawn = _drawn_precisions(LABELS, VALUES, None)
    assert drawn.shape == (DRAWS,)
    rows = np.random.Generator(np.random.Philox(0)).integers(300, size=(DRAWS, 300))[0]
    assert drawn[0] == pytest.approx(average_precision_score(LABELS[rows], VALUES[rows]), rel=1e-6)


def test_every_score_has_its_interval() -> None:
    found = scores(LOGITS, TARGETS)
    assert found["mean_average_precision"] == pytest.approx(average_precision_score(LABELS, LOGITS.numpy()))
    assert found["f1"] == pytest.approx(f1_score(LABELS, LOGITS.numpy() > 0, average="macro"))
    for name in ("loss", "mean_average_precision", "f1"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]


def test_groups_widen_them() -> None:
    groups = np.repeat(np.arange(30), 10)
    rows = torch.arange(0, 300, 10).repeat_interleave(10)
    apart, together = (scores(LOGITS[rows], TARGETS[rows], each) for each in (None, groups))
    for name in ("loss", "mean_average_precision", "f1"):
        assert together[name] == apart[name]
        widths = [found[f"{name}_high"] - found[f"{name}_low"] for found in (apart, together)]
        assert widths[1] > 1.5 * widths[0]
