"""LeNet-5: gradient-based learning applied to document recognition (LeCun et al. 1998, Proc. IEEE 86(11), sec. II-B).

Departures: every map of C3 sees all of S2 (table I of the paper links each to some); pooling is plain, with no
trainable coefficient, no bias and no squashing of its own; tanh is not scaled (there 1.7159 tanh(2x/3)); the output is
a linear layer (there radial basis functions). C5, a 5x5 convolution of a 5x5 map, is the linear layer that it equals.
So `lenet5` has 61,706 parameters and the paper 60,000. Parameters are named as in PyTorch's tutorial.
Initial values are PyTorch's, uniform within fan_in^-1/2; the paper draws within 2.4 / fan_in (appendix A).
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

from striate.errors import SizeError
from striate.layers.activation import activation_named


class LeNet(nn.Module):
    """Two 5x5 convolutions, each pooled by 2, and three linear layers, the first of which fixes the image size.

    Args:
        channels: of the first and of the second convolution.
        pool: called as `pool(x, kernel_size)`.
        activation: a name in `layers.activation.ACTIVATIONS`.

    Raises:
        UsageError: `activation` is not in that table.
    """

    stages = ("conv1", "conv2", "fc1", "fc2")
    head = "fc3"
    explained_layer = "conv2"
    image_size = 32

    def __init__(
        self,
        channels: tuple[int, int],
        pool: Callable[[Tensor, int], Tensor],
        activation: str,
        *,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.activation = activation_named(activation)
        self.pool = pool
        self.conv1 = nn.Conv2d(in_channels, channels[0], 5)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 5)
        self.fc1 = nn.Linear(channels[1] * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps C1, S2, C3 and S4 of fig. 2: 28x28, 14x14, 10x10 and 5x5 of a 32x32 image."""
        c1 = self.activation(self.conv1(images))  # (N, channels[0], 28, 28)
        s2 = self.pool(c1, 2)  # (N, channels[0], 14, 14)
        c3 = self.activation(self.conv2(s2))  # (N, channels[1], 10, 10)
        s4 = self.pool(c3, 2)  # (N, channels[1], 5, 5)
        return [c1, s2, c3, s4]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, 32, 32).

        Raises:
            SizeError: H or W is not 32.
        """
        if images.shape[2:] != (32, 32):
            raise SizeError(
                f"`images`: expected H and W of 32; got the shape {list(images.shape)}. "
                "Try resizing or padding them to 32 x 32, or a net that takes any size, such as `resnet18`."
            )
        x = self.features(images)[-1].flatten(1)  # (N, channels[1] * 25)
        x = self.activation(self.fc1(x))  # (N, 120)
        x = self.activation(self.fc2(x))  # (N, 84)
        logits: Tensor = self.fc3(x)
        return logits


def lenet5(*, activation: str = "tanh", num_classes: int = 10, in_channels: int = 1) -> LeNet:
    """The paper's sizes: 6 and 16 maps, average pooling, grey 32x32 images; `activation` as in `LeNet`."""
    return LeNet((6, 16), avg_pool2d, activation, num_classes=num_classes, in_channels=in_channels)


def lenet5_notes(*, num_classes: int = 10, in_channels: int = 3) -> LeNet:
    """The table of the course notes: 8 and 16 maps, max pooling, relu, 32x32 images in colour, 62,958 parameters."""
    return LeNet((8, 16), max_pool2d, "relu", num_classes=num_classes, in_channels=in_channels)


VARIANTS = {"lenet5": lenet5, "lenet5_notes": lenet5_notes}
