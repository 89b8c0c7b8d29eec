"""The shortcut without parameters between shapes that differ (He et al. 2015, arXiv:1512.03385, sec. 3.3, option A)."""

from torch import Tensor, nn
from torch.nn.functional import pad


class ZeroPaddedShortcut(nn.Module):
    """Every `stride`-th pixel, with maps of zeros for the missing channels, half of them before and half after.

    The paper does not say where the zeros go; half on each side is where the published CIFAR weights have them.
    An odd map of zeros goes after.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        missing = out_channels - in_channels
        self.before = missing // 2
        self.after = missing - self.before
        self.stride = stride

    def extra_repr(self) -> str:
        """What `print(net)` shows."""
        return f"before={self.before}, after={self.after}, stride={self.stride}"

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H/stride), ceil(W/stride))."""
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))
