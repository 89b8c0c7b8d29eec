"""AlexNet: ImageNet classification with deep convolutional neural networks (Krizhevsky et al. 2012, NeurIPS 25).

`alexnet` is torchvision's: one tower, as in "One weird trick" (Krizhevsky 2014, arXiv:1404.5997), without response
normalisation, of any size. Names, shapes and initial values are torchvision's, so its checkpoints load unchanged.
`alexnet_paper` is the paper's, its two towers as two groups; `alexnet_paper_ungrouped` joins them. The paper says
224x224 images and 55x55 maps of them: that takes 227x227. Parameters are named as in Caffe's.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, dropout, max_pool2d, relu

from striate.blocks import Features
from striate.errors import SizeError
from striate.layers.lrn import local_response_norm


class AlexNet(nn.Module):
    """torchvision's form: five convolutions, pooling to 6x6, and three linear layers."""

    stages = (
        "features.0",
        "features.3",
        "features.6",
        "features.8",
        "features.10",
        "classifier.1",
        "classifier.4",
    )
    head = "classifier.6"
    explained_layer = "features.11"
    image_size = 224

    def __init__(self, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        layers = (
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(),  # (N, 64, 55, 55) of 224x224
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),  # (N, 192, 27, 27)
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),  # (N, 256, 13, 13)
            nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
        )
        self.features = Features(layers, returned=(1, 4, 11, 12))
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised RGB images (N, 3, H, W), H and W >= 63."""
        pooled = adaptive_avg_pool2d(self.features(images)[-1], 6)  # (N, 256, 6, 6)
        logits: Tensor = self.classifier(pooled.flatten(1))
        return logits


class AlexNetPaper(nn.Module):
    """The paper's form: response normalisation, overlapping pooling, and linear layers that fix the image size.

    Args:
        groups: how many parts the second, fourth and fifth convolutions have; the paper's two had a GPU each.
    """

    stages = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
    head = "fc8"
    explained_layer = "conv5"
    image_size = 227

    def __init__(self, groups: int, *, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=groups)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)  # sees both towers
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=groups)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=groups)
        self.fc6 = nn.Linear(256 * 6 * 6, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, num_classes)
        for name, parameter in self.named_parameters():
            layer, kind = name.split(".")
            if kind == "weight":
                nn.init.normal_(parameter, std=0.01)  # sec. 5, as are the biases
            else:
                nn.init.constant_(parameter, 0.0 if layer in ("conv1", "conv3", "fc8") else 1.0)

    def features(self, images: Tensor) -> list[Tensor]:
        """The rectified maps of the first, second and fifth convolutions, and the last of these pooled."""
        c1 = relu(self.conv1(images))  # (N, 96, 55, 55)
        x = max_pool2d(local_response_norm(c1), 3, stride=2)  # (N, 96, 27, 27)
        c2 = relu(self.conv2(x))  # (N, 256, 27, 27)
        x = max_pool2d(local_response_norm(c2), 3, stride=2)  # (N, 256, 13, 13)
        x = relu(self.conv3(x))  # (N, 384, 13, 13)
        x = relu(self.conv4(x))  # (N, 384, 13, 13)
        c5 = relu(self.conv5(x))  # (N, 256, 13, 13)
        return [c1, c2, c5, max_pool2d(c5, 3, stride=2)]  # the last is (N, 256, 6, 6)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, 227, 227).

        Raises:
            SizeError: H or W is not 227.
        """
        if images.shape[2:] != (227, 227):
            raise SizeError(
                f"`images`: expected H and W of 227; got the shape {list(images.shape)}. "
                "Try resizing them to 227 x 227, or `alexnet`, which takes any size from 63."
            )
        x = self.features(images)[-1].flatten(1)  # (N, 9216)
        x = dropout(relu(self.fc6(x)), 0.5, self.training)  # (N, 4096); sec. 4.2
        x = dropout(relu(self.fc7(x)), 0.5, self.training)  # (N, 4096)
        logits: Tensor = self.fc8(x)
        return logits


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNet,
    "alexnet_paper": partial(AlexNetPaper, 2),
    "alexnet_paper_ungrouped": partial(AlexNetPaper, 1),
}
