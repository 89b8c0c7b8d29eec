"""LeNet as Caffe has it for MNIST (Jia et al. 2014, arXiv:1408.5093; examples/mnist/lenet_train_test.prototxt).

Of LeNet-5 (LeCun et al. 1998) it keeps the two 5x5 convolutions, each pooled by 2. It reads 28x28 without padding, has
20 and 50 filters, pools by the maximum, has 500 units where the paper has 120 and 84, and relu after those alone.
Layers are named as in `lenet5`. Initial values are Caffe's "xavier": uniform with variance 1 / fan_in, biases 0.
"""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from striate.errors import SizeError


class CaffeLeNet(nn.Module):
    """Two 5x5 convolutions, each pooled by 2, and two linear layers, the first of which fixes the image size."""

    stages = ("conv1", "conv2", "fc1")
    head = "fc2"
    explained_layer = "conv2"
    image_size = 28

    def __init__(self, *, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(50 * 4 * 4, 500)
        self.fc2 = nn.Linear(500, num_classes)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                bound = (3 / parameter[0].numel()) ** 0.5
                nn.init.uniform_(parameter, -bound, bound)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of both convolutions, before and after pooling: 24x24, 12x12, 8x8 and 4x4."""
        c1 = self.conv1(images)  # (N, 20, 24, 24)
        s2 = max_pool2d(c1, 2)  # (N, 20, 12, 12)
        c3 = self.conv2(s2)  # (N, 50, 8, 8)
        s4 = max_pool2d(c3, 2)  # (N, 50, 4, 4)
        return [c1, s2, c3, s4]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, 28, 28).

        Raises:
            SizeError: H or W is not 28.
        """
        if images.shape[2:] != (28, 28):
            raise SizeError(
                f"`images`: expected H and W of 28; got the shape {list(images.shape)}. "
                "Try resizing them to 28 x 28, or a net that takes any size, such as `resnet18`."
            )
        x = self.features(images)[-1].flatten(1)  # (N, 800)
        x = relu(self.fc1(x))  # (N, 500)
        logits: Tensor = self.fc2(x)
        return logits


VARIANTS = {"lenet_caffe": CaffeLeNet}
