import pytest

from striate.train.state import Tally


def test_a_tally_tells_means_and_rates() -> None:
    tally = Tally(pictures=2000, loss=500.0, score=1500, wait_s=0.5, seconds=2.0)
    assert (tally.mean_loss, tally.mean_score) == (0.25, 0.75)
    assert tally.line("accuracy") == "loss 0.2500, accuracy 0.7500, 1,000 pictures/s, 25% waiting for data"


def test_a_tally_without_a_picture_has_no_means() -> None:
    assert (Tally().mean_loss, Tally().mean_score) == (None, None)
    assert Tally().line("accuracy") == "no step without a fault"


def test_a_tally_is_of_its_own_epoch() -> None:
    first, second = Tally(), Tally()
    first.pictures += 1
    assert second.pictures == pytest.approx(0)
