"""Each augmentation by itself, on few images."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from striate.augment import Augmentation, draw_map, resample
from striate.studies.images import DIGITS, Images
from striate.studies.learn import accuracy, learn, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more

SIDE, VIEWS = 8, 4
KINDS = {
    "mirror": Augmentation(mirror=0.5),
    "mirror top to bottom": Augmentation(mirror_top_bottom=0.5),
    "random crop": Augmentation(crop_scale=(0.6, 1.0)),
    "rotation": Augmentation(rotation=15.0),
    "shear": Augmentation(shear=15.0),
    "local warp": Augmentation(warp=0.06),
}


def views(images: Images, augment: Augmentation, seed: int) -> Tensor:
    """(VIEWS, N, 1, 8, 8) drawn views of the training images, as `striate train` would show them."""
    scale = 255 / float(images.train.max() - images.train.min())
    pixels = ((images.train - images.train.min()) * scale).round().byte().permute(0, 2, 3, 1).numpy()
    shown = [
        resample(image, draw_map(augment, (SIDE, SIDE), (SIDE, SIDE), 1.0, seed, view, row), (SIDE, SIDE))
        for view in range(VIEWS)
        for row, image in enumerate(pixels)
    ]
    values = torch.from_numpy(np.stack(shown)).view(VIEWS, len(images.train), 1, SIDE, SIDE)
    return values / scale + images.train.min()


def trained(trial: Trial, kind: str | None) -> Measures:
    images, net = trial.images.draw(100, trial.seed), convnet((12, 16, 16), pools=(0,), norm=False)
    drawn = views(images, KINDS[kind], trial.seed) if kind else None

    def change(shown: Tensor, rows: Tensor, epoch: int) -> Tensor:
        return shown if drawn is None else drawn[epoch % VIEWS, rows]

    learn(net, images, recipe(trial, 80, batch_size=50), change=change)
    return {"test accuracy": accuracy(net, images.test, images.test_labels)}


STUDY = Study(
    claims=("b-mirror", "b-crop", "b-rotation", "c-flip", "c-crop", "c-rotation", "e-augment"),
    claim="Augmentation helps where images are few, each operation by itself",
    setup="A small network learns from 100 digits, shown as they are or as four drawn views of each, by one "
    "operation at a time: mirrored with a probability of one half, cropped to 60 % or more of the area, "
    "turned or slanted by up to 15 degrees, warped by up to 6 % of the side.",
    arms={"none": partial(trained, kind=None)} | {kind: partial(trained, kind=kind) for kind in KINDS},
    figure=Dots("test accuracy"),
    rule=lambda numbers: all_of({kind: more(numbers, "test accuracy", kind, "none", least=0.005) for kind in KINDS}),
    planted={
        HOLDS: {"none": {"test accuracy": 0.8}} | {kind: {"test accuracy": 0.85} for kind in KINDS},
        FAILS: {"none": {"test accuracy": 0.85}} | {kind: {"test accuracy": 0.8} for kind in KINDS},
    },
    literature="Simard, Steinkraus and Platt 2003, Best practices for convolutional neural networks applied to visual "
    "document analysis: the practice that matters most is as large a training set as possible, which they "
    "get by distorting digits. Cubuk et al. 2018, arXiv:1805.09501: which operations help depends on the "
    "data set.",
    remark="A mirrored digit is mostly no digit, or another one, so mirroring costs eight points and ten from "
    "top to bottom: an augmentation helps only where what it shows is still what the label says. Crops, "
    "turns, slants and warps give nothing here, and cost less than the seeds can tell. These digits were "
    "brought to one size and place before they were published, so the test has little of what is drawn, "
    "and resampling blurs 8 x 8 pixels.",
    source=DIGITS,
    seeds=6,
)
