"""Wrong labels, planted and found."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.features.heads import fit
from striate.plan.suspects import Suspect, suspects, thresholds

PICTURES, FEATURES, PLANTED = 400, 256, 20


def photos(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors and true labels of classes that overlap as ants and bees do in a MobileNet's features."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(PICTURES) % classes
    centres = 0.25 * torch.randn(classes, FEATURES, generator=rng)
    return centres[labels] + torch.randn(PICTURES, FEATURES, generator=rng), labels


def test_of_planted_labels_seven_in_ten_are_found_and_nine_in_ten_of_what_is_found_is_planted() -> None:
    found = planted = 0
    for classes, seed in itertools.product((2, 5), range(2)):
        vectors, truth = photos(classes)
        wrong = torch.randperm(PICTURES, generator=torch.Generator().manual_seed(seed))[:PLANTED]
        labels = truth.clone()
        labels[wrong] = (truth[wrong] + 1) % classes
        places = {each.place for each in suspects(fit([vectors], labels, classes).out_of_fold.softmax(dim=1), labels)}
        found += len(places)
        planted += len(places & set(wrong.tolist()))
    assert planted >= 0.7 * 4 * PLANTED
    assert planted >= 0.9 * found


def test_few_are_found_where_none_is_wrong() -> None:
    vectors, labels = photos(2)
    probabilities = fit([vectors], labels, 2).out_of_fold.softmax(dim=1)
    wrong = int((probabilities.argmax(dim=1) != labels).sum())
    assert len(suspects(probabilities, labels)) <= wrong <= 0.1 * PICTURES


def test_a_image_worked_by_hand() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.45, 0.55]])
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert torch.allclose(thresholds(probabilities, labels), torch.tensor([0.6, 0.725]))
    [found] = suspects(probabilities, labels)  # the last is no more of class 1 than the average, and less of class 0
    assert (found.place, found.given, found.suggested) == (2, 0, 1)
    assert abs(found.probability - 0.8) < 1e-6
    assert abs(found.margin + 0.6) < 1e-6


def test_the_most_suspect_comes_first_and_a_class_without_images_is_never_suggested() -> None:
    probabilities = torch.tensor([[0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.1, 0.5, 0.4], [0.9, 0.1, 0.0], [0.0, 0.1, 0.9]])
    labels = torch.tensor([0, 0, 1, 0, 0])
    found = suspects(probabilities, labels)
    assert [each.place for each in found] == [1, 0]
    assert {each.suggested for each in found} == {1}


@given(st.integers(2, 5), st.integers(0, 100))
def test_what_is_found_is_likelier_than_what_was_given_or_the_given_is_not_confident(classes: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    probabilities = torch.randn(30, classes, generator=rng).softmax(dim=1)
    labels = torch.randint(classes, (30,), generator=rng)
    limits = thresholds(probabilities, labels)
    for each in suspects(probabilities, labels):
        own, other = probabilities[each.place, each.given], probabilities[each.place, each.suggested]
        assert isinstance(each, Suspect)
        assert other >= limits[each.suggested]
        assert own < other or own < limits[each.given]
