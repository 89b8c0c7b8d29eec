import numpy as np
import pytest
import torch
from torch import Tensor

from striate.augment import resample
from striate.data import Preprocessing
from striate.tasks import segment_masks
from striate.tasks.segment_masks import logits_at, mask_at


def shown(crop_mode: str, crop_pct: float = 1.0, size: tuple[int, int] = (24, 16)) -> Preprocessing:
    return Preprocessing((3, size[1], size[0]), (0.5,) * 3, (0.5,) * 3, crop_pct, crop_mode)  # type: ignore[arg-type]


def whole(logits: Tensor, size: tuple[int, int], preprocessing: Preprocessing) -> Tensor:
    return torch.cat([strip for _, strip in logits_at(logits, size, preprocessing)], dim=1)


@pytest.mark.parametrize("crop_mode", ["squash", "border", "center"])
@pytest.mark.parametrize("size", [(48, 32), (60, 30), (31, 57)])
def test_what_the_network_saw_comes_back_where_it_was(crop_mode: str, size: tuple[int, int]) -> None:
    """A smooth image goes through preprocessing and back: it is as it was, where it was shown."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 250 / width, y * 250 / height, np.full(x.shape, 99.0)], axis=-1).astype(np.uint8)
    preprocessing = shown(crop_mode, size=(96, 96))
    map_ = preprocessing.map(size)
    logits = torch.from_numpy(resample(image, map_, preprocessing.size).copy()).movedim(-1, 0).float()
    back = whole(logits, size, preprocessing)
    assert back.shape == (3, height, width)
    corners = map_.points(np.array([[0.0, 0.0], [96.0, 96.0]]), preprocessing.size)
    (x0, y0), (x1, y1) = np.ceil(corners[0].clip(0) + 1).astype(int), np.floor(corners[1] - 1).astype(int)
    inside = np.s_[:, max(y0, 1) : min(y1, height - 1), max(x0, 1) : min(x1, width - 1)]
    difference = back.numpy()[inside] - np.moveaxis(image.astype(np.float32), -1, 0)[inside]
    assert difference.size > 0
    assert abs(difference).max() < 6


def test_what_the_network_did_not_see_is_answered_as_the_nearest() -> None:
    logits = torch.zeros(2, 8, 8)
    logits[1, :, 4:] = 1  # the right half of the middle
    mask = mask_at(logits, (30, 10), shown("center", size=(8, 8)))
    assert mask.shape == (10, 30)
    assert not mask[:, :14].any()
    assert mask[:, 16:].all()


def test_strips_are_what_the_whole_is(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(3, 16, 24, generator=torch.Generator().manual_seed(0))
    at_once = whole(logits, (50, 40), shown("squash"))
    monkeypatch.setattr(segment_masks, "PIXELS_AT_A_TIME", 150)
    rows = [rows for rows, _ in logits_at(logits, (50, 40), shown("squash"))]
    assert [(rows.start, rows.stop) for rows in rows[:2]] == [(0, 3), (3, 6)]
    assert rows[-1].stop == 40
    torch.testing.assert_close(whole(logits, (50, 40), shown("squash")), at_once, rtol=1e-4, atol=1e-4)
