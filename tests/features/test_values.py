import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from striate.errors import DataError
from striate.features import values as module
from striate.features.values import STRENGTHS, fit_values


def problem(images: int, features: int, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    vectors = torch.randn(images, features, generator=rng) * torch.rand(features, generator=rng) * 5 + 3
    truth = torch.randn(features, 4, generator=rng) / features**0.5
    return vectors, vectors @ truth + 0.3 + noise * torch.randn(images, 4, generator=rng)


@pytest.mark.parametrize(("images", "features"), [(200, 12), (40, 90)])
def test_the_layer_is_that_of_scikit_learn(images: int, features: int) -> None:
    vectors, values = problem(images, features)
    fitted = fit_values([vectors], [values])
    mean, std = vectors.mean(dim=0), vectors.std(dim=0, correction=0)
    own = ((vectors - mean) / std).double().numpy()
    ridge = Ridge(alpha=fitted.strength * float((own**2).sum(axis=1).mean()))
    expected = ridge.fit(own, values.double().numpy()).predict(own)
    # scikit-learn centres the vectors too, which standardised ones are
    assert fitted.layer(vectors).detach().numpy() == pytest.approx(expected, abs=1e-3)


def test_the_strength_is_weak_where_there_is_no_noise_and_strong_where_there_is_nothing_else() -> None:
    clear = fit_values(*([each] for each in problem(300, 10, noise=0.0)))
    vectors, _ = problem(60, 80)
    rng = torch.Generator().manual_seed(1)
    blind = fit_values([vectors], [torch.randn(60, 4, generator=rng)])
    assert clear.strength == min(STRENGTHS)
    assert blind.strength >= 1


def test_values_out_of_fold_are_those_of_layers_that_had_not_seen_the_image() -> None:
    vectors, values = problem(60, 100, noise=1.0)
    fitted = fit_values([vectors], [values])
    own = (fitted.layer(vectors).detach() - values).square().mean()
    assert (fitted.out_of_fold - values).square().mean() > 1.5 * own


def test_views_of_an_image_are_held_out_together() -> None:
    vectors, values = problem(60, 100, noise=1.0)
    alone, twice = fit_values([vectors], [values]), fit_values([vectors, vectors], [values, values])
    again = float((twice.out_of_fold - values).square().mean())
    assert again == pytest.approx(float((alone.out_of_fold - values).square().mean()), rel=0.2)


def test_rows_without_values_are_not_learnt_from_and_are_answered() -> None:
    vectors, values = problem(80, 10)
    missing = values.clone()
    missing[:30] = torch.nan
    fitted, without = fit_values([vectors], [missing]), fit_values([vectors[30:]], [values[30:]])
    assert fitted.out_of_fold.isfinite().all()
    torch.testing.assert_close(fitted.layer(vectors), without.layer(vectors), rtol=0.05, atol=0.05)


def test_of_many_vectors_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, values = problem(400, 8)
    whole = fit_values([vectors], [values])
    monkeypatch.setattr(module, "MOST_VECTORS", 150)
    part = fit_values([vectors], [values])
    assert not torch.equal(whole.layer.weight, part.layer.weight)
    torch.testing.assert_close(part.layer(vectors), whole.layer(vectors), rtol=0.2, atol=0.2)


def test_a_constant_feature_changes_nothing() -> None:
    vectors, values = problem(50, 6)
    constant = torch.cat([vectors, torch.full((50, 1), 7.0)], dim=1)
    plain, with_it = fit_values([vectors], [values]), fit_values([constant], [values])
    torch.testing.assert_close(with_it.layer(constant), plain.layer(vectors), rtol=1e-3, atol=1e-3)
    assert np.isfinite(with_it.layer.weight.detach().numpy()).all()


def test_fewer_than_two_images_are_refused() -> None:
    vectors, values = problem(3, 5)
    values[1:] = torch.nan
    with pytest.raises(DataError) as caught:
        fit_values([vectors], [values])
    assert str(caught.value) == "train: expected two images with values to fit a layer to; got 1."
