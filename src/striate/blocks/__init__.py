"""What three nets or more share, each part in a file of its own."""

from striate.blocks.conv_bn_relu import ConvBnRelu
from striate.blocks.features import Features

__all__ = ["ConvBnRelu", "Features"]
