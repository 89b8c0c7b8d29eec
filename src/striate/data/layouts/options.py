"""What a user may say about how data is to be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PATH_COLUMN, LABEL_COLUMN, WEIGHT_COLUMN = "path", "label", "weight"


@dataclass(frozen=True)
class ReadOptions:
    """See `striate.data.read` for each."""

    layout: str = "auto"
    path_column: str = PATH_COLUMN
    label_column: str = LABEL_COLUMN
    label_separator: str = ""
    label_pattern: str = ""
    weight_column: str = WEIGHT_COLUMN
    image_root: Path | None = None
    mask_classes: Mapping[str, str] = field(default_factory=dict)
    task: str = "auto"
