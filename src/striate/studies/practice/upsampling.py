"""Upsampling for a class a pixel: nearest, unpooled, learned."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from striate.layers.max_unpool import max_pool_positions, max_unpool
from striate.studies.images import DIGITS, standardised
from striate.studies.learn import learn, outputs, parameters, recipe
from striate.studies.small import convnet
from striate.studies.study import Dots, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more

WIDTH, SIDE = 12, 16


class Segmenter(nn.Module):
    """Two convolutions, a pooling of 2x2 (or none), two more, back to the size of the image, and one convolution."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.before = convnet((WIDTH, WIDTH), pools=(), head=False)
        self.after = convnet((WIDTH, WIDTH), in_channels=WIDTH, pools=(), head=False)
        self.learned = nn.ConvTranspose2d(WIDTH, WIDTH, 2, stride=2) if way == "learned" else nn.Identity()
        self.mixed = convnet((WIDTH,), in_channels=WIDTH, pools=(), head=False)
        self.scores = nn.Conv2d(WIDTH, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        small, positions = max_pool_positions(x)
        y = self.after(small if self.way != "no pooling" else x)
        if self.way == "nearest":
            y = interpolate(y, scale_factor=2, mode="nearest")
        elif self.way == "unpooled":
            y = max_unpool(y, positions, (SIDE, SIDE))
        logits: Tensor = self.scores(self.mixed(self.learned(y)))
        return logits


def trained(trial: Trial, way: str) -> Measures:
    """Which pixels of a noisy image are ink; the digits are enlarged to twice their size."""
    few = trial.images.draw(120, trial.seed)
    larger = [interpolate(x[:300], (SIDE, SIDE), mode="bilinear") for x in (few.train, few.test)]
    masks = [(x[:, 0] > 0.5).long() for x in larger]
    noisy = [x + 0.8 * torch.randn(x.shape) for x in larger]
    images, net = standardised(noisy[0], masks[0], noisy[1], masks[1]), Segmenter(way)
    learn(net, images, recipe(trial, 32, batch_size=25), loss=cross_entropy)
    answers = outputs(net, images.test).argmax(dim=1) == 1
    truth = images.test_labels == 1
    iou = (answers & truth).sum() / (answers | truth).sum()
    return {"IoU of the ink": float(iou), "parameters": float(parameters(net))}


WAYS = ("nearest", "unpooled", "learned", "no pooling")
STUDY = Study(
    claims=("e-pixels", "e-nearest", "e-unpool", "e-learnable"),
    claim="Nearest-neighbour upsampling gives coarse masks, and unpooling or a learned upsampling better ones",
    setup="120 digits of 16 x 16 pixels under noise: which pixels are ink? Two convolutions, a max pooling, two "
    "convolutions, and an upsampling by nearest neighbour, by max unpooling, or by a transposed "
    "convolution, or no pooling at all; then a 3x3 convolution, as in SegNet, and one of 1x1 that tells ink from "
    "paper.",
    arms={way: partial(trained, way=way) for way in WAYS},
    figure=Dots("IoU of the ink"),
    rule=lambda numbers: all_of(
        {
            "unpooled": more(numbers, "IoU of the ink", "unpooled", "nearest"),
            "learned": more(numbers, "IoU of the ink", "learned", "nearest"),
            "pooling costs": more(numbers, "IoU of the ink", "no pooling", "nearest"),
        }
    ),
    planted={
        HOLDS: {way: {"IoU of the ink": v} for way, v in zip(WAYS, (0.7, 0.75, 0.8, 0.85), strict=True)},
        FAILS: {way: {"IoU of the ink": v} for way, v in zip(WAYS, (0.85, 0.7, 0.75, 0.8), strict=True)},
    },
    literature="Badrinarayanan et al. 2015, arXiv:1511.00561, sec. 3 and 4: unpooling by remembered positions draws "
    "borders better than upsampling by interpolation, and needs less memory than a decoder that is given the "
    "encoder's maps.",
    remark="In an earlier version a 1x1 convolution alone followed the upsampling. Then the learned one was better "
    "than nearest neighbours by three points, and unpooling worse by 25: three of four of its pixels hold "
    "zero, and get the same answer. With a 3x3 convolution after it, as in SegNet, none of this is left: the "
    "convolution does what a learned upsampling would, and spreads what unpooling put back, which stays a "
    "point behind. Strokes of four pixels' width lose nothing by a pooling of 2x2, and noise is averaged away"
    " by it, so no pooling at all is no better.",
    sources=(DIGITS,),
    seeds=6,
)
