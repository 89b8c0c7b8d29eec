from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from striate.data import Batch
from striate.errors import UsageError
from striate.explain import neighbours
from striate.explain.neighbours import embeddings
from striate.model import Model

MakeModel = Callable[..., Model]


def test_embeddings_are_what_the_head_sees(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    weight, bias = (model.net.get_parameter(f"linear.{name}").detach() for name in ("weight", "bias"))
    found = embeddings(model, images)
    assert torch.allclose(found.norm(dim=1), torch.ones(5))
    direction = (model.predict_batch(images) - bias) / (found @ weight.T)  # the length that was taken away
    assert torch.allclose(direction, direction[:, :1].expand_as(direction), rtol=1e-3)


def test_the_nearest_over_several_batches(make_model: MakeModel, images: Tensor) -> None:
    model = make_model()
    batches = [Batch(images[:2], np.array([7, 8])), Batch(images[2:], np.array([1, 2, 3]))]
    rows = np.array([7, 8, 1, 2, 3])
    vectors = embeddings(model, images)
    cosine = (vectors @ vectors.T).numpy()
    found = neighbours(model, images, batches, most=3)
    assert np.array_equal(found.rows[:, 0], rows)  # itself
    assert np.allclose(found.similarity, -np.sort(-cosine, axis=1)[:, :3], atol=1e-5)
    others = neighbours(model, images, batches, most=6, own=rows)
    assert not np.any(others.rows[:, :4] == rows[:, None])
    assert np.all(others.rows[:, 4:] == -1)
    np.fill_diagonal(cosine, -np.inf)
    assert np.array_equal(others.rows[:, 0], rows[cosine.argmax(axis=1)])


def test_nothing_to_look_in(make_model: MakeModel, images: Tensor) -> None:
    with pytest.raises(UsageError, match="`others`: expected at least one image to look in; got none"):
        neighbours(make_model(), images, [])
