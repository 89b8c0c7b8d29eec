import pytest

from striate.training.state import Totals


def test_a_tally_tells_means_and_rates() -> None:
    tally = Totals(images=2000, loss=500.0, score=1500, wait_s=0.5, seconds=2.0)
    assert (tally.mean_loss, tally.mean_score) == (0.25, 0.75)
    assert tally.line("accuracy") == "loss 0.2500, accuracy 0.7500, 1,000 images/s, 25% waiting for data"


def test_a_tally_without_a_image_has_no_means() -> None:
    assert (Totals().mean_loss, Totals().mean_score) == (None, None)
    assert Totals().line("accuracy") == "no step with finite numbers"


def test_a_tally_is_of_its_own_epoch() -> None:
    first, second = Totals(), Totals()
    first.images += 1
    assert second.images == pytest.approx(0)
