"""Kept maps in place of images: each epoch another view, the same values as the frozen stages give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from striate.data import IndexedImages, Loader, Order, Rows, batches
from striate.features.cached import CachedFeatures, cached_features
from striate.graph import cut
from striate.nets import create
from striate.recipe import AugmentRecipe, MachineRecipe
from striate.training.freeze import frozen_stages
from striate.training.run import Run

STAGES = ["conv1", "conv2", "fc1"]


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return create("lenet5", num_classes=2, activation="relu").eval()


def feed_of(run: Run, net: nn.Module, stage: str, count: int = 3) -> CachedFeatures:
    return cached_features(run, net, frozen_stages(net, stage), count)


@pytest.mark.parametrize("stage", STAGES)
def test_the_answers_on_val_are_the_nets(small_run: Run, net: nn.Module, stage: str) -> None:
    feed = feed_of(small_run, net, stage)
    parts = batches(small_run.index.rows("val"), 4)
    found = torch.cat([outputs for outputs, _ in feed.outputs(feed.learner(net).eval(), parts)])
    images = IndexedImages(small_run.index)
    with torch.inference_mode():
        expected = torch.cat(
            [net(small_run.preprocessing.normalise(b.images)) for b in Loader(images, parts, small_run.preprocessing)]
        )
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3)


def test_each_epoch_shows_the_next_view_of_every_image(small_run: Run, net: nn.Module) -> None:
    feed = feed_of(small_run, net, "conv2")
    rows = small_run.index.rows("train")
    epochs = [feed_rows(feed, rows, epoch) for epoch in range(4)]
    assert torch.equal(epochs[0], epochs[3])
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert (epochs[one] != epochs[other]).any(dim=1).all()


def feed_rows(feed: CachedFeatures, rows: Rows, epoch: int) -> torch.Tensor:
    [batch] = feed.batches([rows], epoch, 0)
    return feed.transform(batch, {"label": torch.zeros(len(rows))}, epoch)[0]


def test_a_pass_goes_on_where_it_stopped(small_run: Run, net: nn.Module) -> None:
    feed = feed_of(small_run, net, "conv2")
    order = Order(small_run.index.rows("train"), 0, 1, 4)
    whole, rest = (list(feed.batches(order, 1, start)) for start in (0, 2))
    assert len(whole) == len(order) == len(rest) + 2
    for one, other in zip(whole[2:], rest, strict=True):
        assert np.array_equal(one.rows, other.rows)
        assert torch.equal(one.images, other.images)


def test_what_learns_is_the_nets_own(small_run: Run, net: nn.Module) -> None:
    learner = feed_of(small_run, net, "conv2").learner(net)
    own = {id(parameter) for parameter in learner.parameters()}
    assert own == {id(p) for name, p in net.named_parameters() if not name.startswith(("conv1", "conv2"))}


def test_blank_inputs_have_the_shape_of_others(small_run: Run, net: nn.Module) -> None:
    feed = feed_of(small_run, net, "conv2")
    assert feed.blank(5).shape == (5, sum(map(np.prod, cut(net, ("conv1", "conv2"), (1, 32, 32)).shapes)))
    assert not feed.blank(5).any()


def test_maps_are_kept_in_the_machines_precision(small_run: Run, net: nn.Module) -> None:
    run = replace(small_run, machine=replace(small_run.machine, precision="bfloat16"))
    assert feed_of(run, net, "conv2").blank(1).dtype == torch.bfloat16
    assert feed_of(small_run, net, "conv2").blank(1).dtype == torch.float32


def test_without_augmentation_one_view_is_enough(small_run: Run, net: nn.Module) -> None:
    recipe = replace(small_run.recipe, augment=AugmentRecipe("none"), machine=MachineRecipe(workers=1))
    feed = feed_of(replace(small_run, recipe=recipe), net, "conv2")
    rows = small_run.index.rows("train")
    assert torch.equal(feed_rows(feed, rows, 0), feed_rows(feed, rows, 1))
    assert feed.advice(0.9) is None
