"""A network whose training changes more than its parameters."""

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, dropout, relu


class Normed(nn.Module):
    """Batch norm over maps of 7x7 values, or of one, and dropout."""

    image_size = 32

    def __init__(self, *, pooled: bool = False, num_classes: int = 2, in_channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 5, stride=4)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, num_classes)
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.bn(adaptive_avg_pool2d(x, 1) if self.pooled else x)
        x = dropout(relu(x).mean(dim=(2, 3)), 0.5, self.training)
        logits: Tensor = self.fc(x)
        return logits
