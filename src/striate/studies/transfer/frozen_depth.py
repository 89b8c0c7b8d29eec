"""How many layers to keep frozen, by the number of images of the new task."""

from functools import partial

from torch import Tensor, nn

from striate.nets import create
from striate.pretrained import pretrained
from striate.studies.images import Images, Source
from striate.studies.learn import accuracy, learn, outputs, recipe
from striate.studies.small import Pooled
from striate.studies.study import Lines, Measures, Study, Trial
from striate.studies.verdict import FAILS, HOLDS, all_of, more

NET, WEIGHTS = "efficientnet_lite0", "efficientnet_lite0.imagenet"
INSECTS = Source("hymenoptera", "photos of two classes, such as ants and bees", 96, channels=3, train=244, test=153)
SIZES = {20: 20, 160: 6}  # images, and epochs over them in batches of 20
PARTS = 9  # a stem, seven stages and a 1x1 convolution; a mean and a linear layer follow


def network(old: bool) -> nn.Sequential:
    """EfficientNet-Lite0 for two classes, part by part."""
    net = pretrained(WEIGHTS).net if old else create(NET)
    part = net.get_submodule
    stem, last = ([part(name), part(norm), nn.ReLU6()] for name, norm in (("conv_stem", "bn1"), ("conv_head", "bn2")))
    head = nn.Sequential(Pooled(), nn.Linear(1280, 2))
    return nn.Sequential(nn.Sequential(*stem), *part("blocks").children(), nn.Sequential(*last), head)


def as_learned(images: Images) -> Images:
    """With pixel values as the weights were learned with."""
    shown = pretrained(WEIGHTS).preprocessing

    def change(x: Tensor) -> Tensor:
        return (x * images.std + images.mean - shown.mean[0]) / shown.std[0]

    return images.changed(change)


def transferred(trial: Trial, frozen: int, old: bool = True) -> Measures:
    """The accuracy after training on few images, with `frozen` parts kept as they are and computed once."""
    scores = []
    for size, epochs in SIZES.items():
        images, net = as_learned(trial.images).draw(size, trial.seed), network(old)
        kept, learned = net[:frozen].requires_grad_(False), net[frozen:]
        given = images.changed(partial(outputs, kept)) if frozen else images
        learn(learned, given, recipe(trial, epochs, lr=0.005 if old else 0.05, batch_size=20))
        scores.append(accuracy(learned, given.test, given.test_labels))
    return {"test accuracy": scores}


ALL, HALF, NONE, NEW = "all layers frozen", "first 6 of 9 parts frozen", "old weights, none frozen", "new weights"
STUDY = Study(
    claims=(
        *("b-frozen", "b-depth", "b-init", "b-whole", "c-freeze", "c-init", "c-speed"),
        *("d-transfer", "e-transfer", "e-fine", "e-partial"),
    ),
    claim="Weights of another task help, most where images are few; with more images fewer layers should stay frozen",
    setup="EfficientNet-Lite0, with the ImageNet weights that striate brings, learns to tell ants from bees by 20 or "
    "160 photos of 96x96 pixels: with all of its layers frozen but the last, with two thirds of its nine parts "
    "frozen, or none, at a rate of 0.005; and with new weights, at 0.05. Frozen layers are computed once. The "
    "test has 153 other photos.",
    arms={
        NEW: partial(transferred, frozen=0, old=False),
        NONE: partial(transferred, frozen=0),
        HALF: partial(transferred, frozen=6),
        ALL: partial(transferred, frozen=PARTS),
    },
    figure=Lines("test accuracy", "images of the new task", tuple(map(str, SIZES))),
    rule=lambda numbers: all_of(
        {
            "20 images, frozen": more(numbers, "test accuracy", ALL, NEW, at=0),
            "20 images, as initial values": more(numbers, "test accuracy", NONE, NEW, at=0),
            "160 images, as initial values": more(numbers, "test accuracy", NONE, NEW, at=1),
            "20 images, all frozen": more(numbers, "test accuracy", ALL, NONE, at=0),
            "160 images, none frozen": more(numbers, "test accuracy", NONE, ALL, at=1),
        }
    ),
    planted={
        HOLDS: {
            NEW: {"test accuracy": [0.5, 0.6]},
            NONE: {"test accuracy": [0.6, 0.96]},
            ALL: {"test accuracy": [0.7, 0.85]},
        },
        FAILS: {
            NEW: {"test accuracy": [0.8, 0.97]},
            NONE: {"test accuracy": [0.75, 0.8]},
            ALL: {"test accuracy": [0.5, 0.85]},
        },
    },
    literature="Yosinski et al. 2014, arXiv:1411.1792: early layers transfer to any task, late ones less; fine-tuned "
    "weights beat random ones even on many images. Kornblith, Shlens and Le 2018, arXiv:1805.08974; He, "
    "Girshick and Dollár 2018, arXiv:1811.08883: with enough steps, random weights catch up.",
    remark="With 160 photos the old weights are worth twenty points, whether they stay frozen or not: training from "
    "new weights barely leaves a guess. With 20 photos and all layers frozen, the linear layer reaches 65 to "
    "86 %; a network of three million weights that learns from 20 photos, in 20 steps, is near a guess "
    "wherever it begins. Two classes of 153 photos leave guesses that vary between 44 and 66 %, so that three"
    " seeds cannot tell the differences there. That fewer layers should be frozen with more images does not "
    "show: at 160 photos, 48 steps and one rate, all frozen, two thirds and none come out within two points.",
    sources=(INSECTS,),
    seeds=3,
)
