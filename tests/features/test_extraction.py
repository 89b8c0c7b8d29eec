"""The feature cache: computed once, and never served stale."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from striate.caches import cache_folder
from striate.data import Index, IndexedImages, Preprocessing, View, read
from striate.data.views import EvaluationView
from striate.device import Machine, choose
from striate.features import Features, MirroredView, drawn_views, extract
from striate.features.extraction import extract_views
from striate.graph import cut, vectors
from striate.graph.parts import Prefix
from striate.nets import create
from striate.recipe import AugmentRecipe

SHOWN = Preprocessing((3, 16, 16), (0.5,) * 3, (0.5,) * 3, crop_pct=1.0)
FLOAT32 = choose("cpu", "float32", runtime="torch")
DEPTHS = ("layer1", "layer3")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six colour images of two classes."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (24, 20, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def new_net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create("resnet20_cifar").eval()


def prefix_of(net: nn.Module) -> Prefix:
    return vectors(net, DEPTHS, SHOWN.input_size)


def get(
    photos: Path, prefix: Prefix, shown: Preprocessing = SHOWN, machine: Machine = FLOAT32, **more: Any
) -> Features:
    index = read(photos)
    return extract(index, np.arange(len(index)), prefix, shown, machine, **more)


def test_values_are_those_without_the_cache_to_rounding(tmp_path: Path) -> None:
    (tmp_path / "exact" / "a").mkdir(parents=True)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 16, 16, 3), np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / "exact" / "a" / f"{number}.png")
    prefix = prefix_of(new_net())
    found = get(tmp_path / "exact", prefix)
    with torch.inference_mode():
        expected = torch.cat(prefix(SHOWN.normalise(torch.from_numpy(pixels))), dim=1)
    torch.testing.assert_close(found.vectors(), expected, rtol=2**-10, atol=1e-4)
    again = get(tmp_path / "exact", prefix)
    assert (found.computed, again.computed) == (5, 0)
    assert torch.equal(again.vectors(), found.vectors())


def test_predictions_through_maps_are_those_of_the_net(photos: Path) -> None:
    net = new_net()
    parts = cut(net, ("conv1", "bn1", "layer1"), SHOWN.input_size)
    found = get(photos, parts.prefix)
    again = get(photos, parts.prefix)
    whole = get(photos, cut(net, (), SHOWN.input_size).prefix)  # the images themselves
    with torch.inference_mode():
        expected = net(whole.values()[0].float())
        for each in (found, again):
            logits = parts.rest(*(value.float() for value in each.values()))
            torch.testing.assert_close(logits, expected, rtol=5e-3, atol=5e-3)


def test_some_rows_in_any_order(photos: Path) -> None:
    found = get(photos, prefix_of(new_net()))
    [early, late] = found.values(np.array([4, 1]))
    assert torch.equal(early, found.values()[0][[4, 1]])
    assert early.dtype is torch.float16
    assert late.shape == (2, 64)


def test_the_last_of_several_values_is_not_computed_again(photos: Path) -> None:
    net = new_net()
    wide, last = prefix_of(net), vectors(net, DEPTHS[-1:], SHOWN.input_size)
    both = get(photos, wide)
    Image.new("RGB", (20, 20), "red").save(photos / "a" / "1.png")
    found = get(photos, last, wider=lambda: wide)
    assert found.computed == 1
    kept = [0, 2, 3, 4, 5]
    assert torch.equal(found.values()[0][kept], both.values()[1][kept])
    assert get(photos, last).computed == 0
    assert get(photos, last, wider=lambda: wide, view=MirroredView(SHOWN)).computed == 6
    other = new_net(1)
    assert get(photos, vectors(other, DEPTHS[-1:], SHOWN.input_size), wider=lambda: prefix_of(other)).computed == 6


def test_a_wider_part_is_not_made_where_the_cache_has_nothing_of_it(photos: Path) -> None:
    last = vectors(new_net(), DEPTHS[-1:], SHOWN.input_size)
    assert get(photos, last, wider=lambda: pytest.fail("made for an empty cache")).computed == 6
    assert get(photos, last, wider=lambda: pytest.fail("made for what is there")).computed == 0


def test_the_time_of_the_fastest_batch_is_told_where_there_are_several(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = prefix_of(new_net())
    assert get(photos, prefix).run_s is None
    monkeypatch.setattr("striate.features.extraction.BATCH_SIZE", 2)
    found = get(photos, prefix, view=MirroredView(SHOWN))
    assert found.run_s is not None
    assert found.run_s > 0
    assert get(photos, prefix, view=MirroredView(SHOWN)).run_s is None  # nothing was computed


def test_a_changed_image_alone_is_computed_anew(photos: Path) -> None:
    prefix = prefix_of(new_net())
    before = get(photos, prefix)
    shutil.copy(photos / "b" / "2.png", photos / "a" / "1.png")
    after = get(photos, prefix)
    assert after.computed == 0  # what it holds now is known
    assert torch.equal(after.vectors()[1], before.vectors()[5])
    Image.new("RGB", (20, 20), "red").save(photos / "a" / "1.png")
    last = get(photos, prefix)
    assert last.computed == 1
    assert not torch.equal(last.vectors()[1], before.vectors()[1])
    rest = [0, 2, 3, 4, 5]
    assert torch.equal(last.vectors()[rest], before.vectors()[rest])


def test_an_interrupted_extraction_goes_on(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.features.extraction.BATCH_SIZE", 2)
    prefix, done = prefix_of(new_net()), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(photos, prefix, advance=advance)
    assert get(photos, prefix).computed == 2


def test_unreadable_images_are_named(photos: Path) -> None:
    (photos / "a" / "0.png").write_bytes(b"no image")
    (photos / "b" / "0.png").write_bytes(b"no image")
    index = read(photos)
    (photos / "b" / "1.png").unlink()
    for _ in range(2):
        found = extract(index, np.arange(6), prefix_of(new_net()), SHOWN, FLOAT32)
        assert found.rows.tolist() == [1, 2, 5]
        assert found.unreadable.keys() == {0, 3, 4}
        assert found.unreadable[0] == found.unreadable[3] != found.unreadable[4]
        assert found.unreadable[4] == "it cannot be read, or changed while it was"
        assert len(found.vectors()) == len(found) == 3


def test_a_image_that_changes_meanwhile_is_not_kept(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = prefix_of(new_net())
    original = Prefix.__call__

    def change(*args: Any) -> Any:
        Image.new("RGB", (20, 20), "blue").save(photos / "a" / "2.png")
        return original(*args)

    monkeypatch.setattr("striate.graph.parts.Vectors.__call__", change)
    found = get(photos, prefix)
    monkeypatch.undo()
    monkeypatch.setenv("STRIATE_CACHE", str(cache_folder("features").parent))
    assert found.unreadable == {2: "it cannot be read, or changed while it was"}


def test_a_mirrored_view_is_that_of_the_mirrored_image(photos: Path, tmp_path: Path) -> None:
    prefix = prefix_of(new_net())
    mirrored = get(photos, prefix, view=MirroredView(SHOWN))
    shutil.copytree(photos, tmp_path / "turned")
    for path in (tmp_path / "turned").rglob("*.png"):
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    torch.testing.assert_close(mirrored.vectors(), get(tmp_path / "turned", prefix).vectors(), rtol=1e-2, atol=1e-2)
    assert not torch.equal(mirrored.vectors(), get(photos, prefix).vectors())


@pytest.mark.parametrize("kept", [[], ["plain"], ["mirrored"]])
def test_both_views_are_of_one_decoding(kept: list[str], photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix, index = prefix_of(new_net()), read(photos)
    both: dict[str, View] = {"plain": EvaluationView(SHOWN), "mirrored": MirroredView(SHOWN)}
    alone = [get(photos, prefix, view=view).vectors() for view in both.values()]
    shutil.rmtree(cache_folder("features"))
    for name in kept:
        extract(index, np.arange(3), prefix, SHOWN, FLOAT32, view=both[name])
    opened: list[int] = []
    read_one = IndexedImages.open

    def counted(images: IndexedImages, row: int) -> Any:
        opened.append(row)
        return read_one(images, row)

    monkeypatch.setattr(IndexedImages, "open", counted)
    found = extract_views(index, np.arange(6), prefix, SHOWN, FLOAT32, list(both.values()))
    assert [each.computed for each in found] == [3 if name in kept else 6 for name in both]
    assert sorted(opened) == [0, 1, 2, 3, 4, 5]
    assert all(torch.equal(each.vectors(), expected) for each, expected in zip(found, alone, strict=True))


def test_drawn_views_differ_and_do_not_hang_on_the_other_images(photos: Path) -> None:
    prefix = prefix_of(new_net())
    views = drawn_views(AugmentRecipe(), SHOWN, 0, 2)
    first, second = (get(photos, prefix, view=view).vectors() for view in views)
    assert not torch.equal(first, second)
    Image.new("RGB", (20, 20), "red").save(photos / "a" / "00.png")  # every row moves on by one
    again = get(photos, prefix, view=views[0])
    assert again.computed == 1
    assert torch.equal(again.vectors()[2:], first[1:])


class World:
    """All that decides features, to be changed one thing after another."""

    def __init__(self, photos: Path) -> None:
        torch.manual_seed(0)
        self.photos, self.net = photos, create("lenet5_notes").eval()
        self.shown = replace(SHOWN, input_size=(3, 32, 32))
        self.machine, self.augment, self.seed = FLOAT32, AugmentRecipe(), 0
        self.rng = np.random.default_rng(0)

    def prefix(self) -> Prefix:
        return vectors(self.net, ("conv2", "fc2"), self.shown.input_size)

    def features(self, prefix: Prefix) -> Features:
        [view] = drawn_views(self.augment, self.shown, self.seed, 1)
        return get(self.photos, prefix, self.shown, self.machine, view=view)

    def image(self) -> None:
        path = sorted(self.photos.rglob("*.png"))[self.rng.integers(6)]
        times = path.stat()
        pixels = np.asarray(Image.open(path)).copy()
        pixels[self.rng.integers(pixels.shape[0]), self.rng.integers(pixels.shape[1])] ^= 0x55
        Image.fromarray(pixels).save(path)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a careless copy would leave it

    def weight(self) -> None:
        tensors = [t for n, t in self.net.state_dict().items() if not n.startswith("fc3")]
        tensor = tensors[self.rng.integers(len(tensors))].view(-1)
        tensor[self.rng.integers(len(tensor))] += 0.01

    def transform(self) -> None:
        kind = self.rng.integers(4)
        if kind == 0:
            self.shown = replace(self.shown, crop_pct=float(self.rng.uniform(0.5, 1)))
        elif kind == 1:
            self.shown = replace(self.shown, mean=tuple(self.rng.uniform(0.3, 0.7, 3).tolist()))
        elif kind == 2:
            self.seed += 1
        else:
            self.augment = replace(self.augment, crop_scale=(float(self.rng.uniform(0.3, 0.9)), 1.0))

    def precision(self) -> None:
        other = "bfloat16" if self.machine.precision == "float32" else "float32"
        self.machine = choose("cpu", other, runtime="torch")


@pytest.mark.parametrize("mutations", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_of_many_mutations_none_is_served_stale(
    mutations: int, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(photos)
    kinds: list[Callable[[], None]] = [world.image, world.weight, world.transform, world.precision]
    world.features(world.prefix())
    for number in range(mutations):
        kind = kinds[number % 4]
        kind()
        prefix = world.prefix()
        cached = world.features(prefix)
        monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "fresh" / str(number)))
        fresh = world.features(prefix)
        monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
        assert fresh.computed == 6
        # On some processors a batch of one image rounds otherwise than one of six, in the last bit of a value near 0.
        torch.testing.assert_close(cached.vectors(), fresh.vectors(), rtol=0, atol=2e-6)
        if kind == world.image:
            assert cached.computed == 1
        elif kind != world.precision:
            assert cached.computed == 6
        shutil.rmtree(tmp_path / "fresh")


def test_an_index_without_rows(photos: Path) -> None:
    index: Index = read(photos)
    found = extract(index, np.arange(0), prefix_of(new_net()), SHOWN, FLOAT32)
    assert (len(found), found.computed, found.unreadable) == (0, 0, {})
