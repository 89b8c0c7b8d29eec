import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from striate.tasks.answers import WIDTH, Answers


def test_by_hand() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log()
    answers = Answers.of(logits, torch.tensor([1, 2]))
    assert answers.answers.tolist() == [0, 2]
    assert answers.seconds.tolist() == [1, 0]
    assert answers.ranks.tolist() == [1, 0]
    assert answers.hits.tolist() == [False, True]
    assert np.allclose(answers.confidence, [0.5, 0.8])
    assert np.allclose(answers.truth, [0.3, 0.8])
    assert np.allclose(answers.brier, [0.25 + 0.49 + 0.04, 0.01 + 0.01 + 0.04])
    assert np.allclose(answers.loss, -np.log([0.3, 0.8]))


@given(st.integers(1, 30), st.integers(1, 7), st.floats(0.1, 10), st.integers(0, 99))
def test_against_pytorch(count: int, classes: int, temperature: float, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(count, classes, generator=draw)
    labels = torch.randint(classes, (count,), generator=draw)
    answers = Answers.of(logits, labels, temperature)
    assert answers.answers.tolist() == logits.argmax(dim=1).tolist()
    assert np.allclose(answers.loss.mean(), float(cross_entropy(logits / temperature, labels)), atol=1e-5)
    p = (logits / temperature).softmax(dim=1)
    truth = torch.nn.functional.one_hot(labels, classes)
    assert np.allclose(answers.brier, ((p - truth) ** 2).sum(dim=1).numpy(), atol=1e-5)
    assert np.allclose(answers.confidence, p.max(dim=1).values.numpy(), atol=1e-6)
    assert (answers.ranks == 0).tolist() == answers.hits.tolist()
    if classes > 1:
        rest = logits.scatter(1, logits.argmax(dim=1, keepdim=True), -torch.inf)
        assert answers.seconds.tolist() == rest.argmax(dim=1).tolist()


def test_a_loss_that_is_too_large_for_a_probability_is_kept() -> None:
    answers = Answers.of(torch.tensor([[1000.0, 0.0]]), torch.tensor([1]))
    assert answers.loss.tolist() == [1000.0]
    assert answers.truth.tolist() == [0.0]


def test_equal_logits_give_the_first_class_and_another_second() -> None:
    answers = Answers.of(torch.zeros(3, 3), torch.tensor([0, 1, 2]))
    assert answers.answers.tolist() == [0, 0, 0]
    assert 0 not in answers.seconds
    assert answers.ranks.tolist() == [0, 1, 2]  # so that the first k are the right answer's no more often than once


def test_some_are_chosen() -> None:
    logits, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    whole = Answers.of(logits, labels)
    assert whole.take(whole.hits).labels.tolist() == whole.labels[whole.hits].tolist()
    assert len(whole.take(np.array([3]))) == 1


def test_records_hold_everything_and_what_was_before_the_temperature() -> None:
    logits, labels = torch.randn(5, 300), torch.tensor([0, 1, 299, 0, 1])
    records = Answers.records(logits, labels, 2.0)
    assert records.shape == (5, WIDTH)
    answers, plain = Answers.from_records(records), Answers.of(logits, labels)
    assert answers.labels.tolist() == labels.tolist()
    for name in ("confidence", "loss", "brier"):
        assert getattr(answers, f"plain_{name}").tolist() == getattr(plain, name).tolist()
        assert getattr(answers, name).tolist() != getattr(plain, name).tolist()
