"""What three or more nets share, each part in its own file."""

from striate.blocks.conv_bn_relu import ConvBnRelu
from striate.blocks.features import Features

__all__ = ["ConvBnRelu", "Features"]
