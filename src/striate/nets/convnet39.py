"""The first whole network of the course notes: 39x39x3 -> 37x37x10 -> 17x17x20 -> 7x7x40 -> 1,960 -> logits.

The notes leave the activation and the number of classes open: relu and 10 here. Initial values are PyTorch's.
"""

from torch import Tensor, nn
from torch.nn.functional import relu

from striate.errors import SizeError


class ConvNet39(nn.Module):
    """Three convolutions without padding or pooling, then one linear layer, which fixes the image size."""

    stages = ("conv1", "conv2", "conv3")
    head = "fc"
    explained_layer = "conv3"
    image_size = 39

    def __init__(self, *, num_classes: int = 10, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 10, 3)
        self.conv2 = nn.Conv2d(10, 20, 5, stride=2)
        self.conv3 = nn.Conv2d(20, 40, 5, stride=2)
        self.fc = nn.Linear(40 * 7 * 7, num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps after each convolution: 37x37, 17x17 and 7x7 of a 39x39 image."""
        c1 = relu(self.conv1(images))  # (N, 10, 37, 37)
        c2 = relu(self.conv2(c1))  # (N, 20, 17, 17)
        c3 = relu(self.conv3(c2))  # (N, 40, 7, 7)
        return [c1, c2, c3]

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, in_channels, 39, 39).

        Raises:
            SizeError: H or W is not 39.
        """
        if images.shape[2:] != (39, 39):
            raise SizeError(
                f"`images`: expected H and W of 39; got the shape {list(images.shape)}. "
                "Try resizing or padding them to 39 x 39, or a net that takes any size, such as `resnet18`."
            )
        flat = self.features(images)[-1].flatten(1)  # (N, 1960)
        logits: Tensor = self.fc(flat)
        return logits


VARIANTS = {"convnet39": ConvNet39}
