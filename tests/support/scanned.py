"""What the checks' one look tells of a single image."""

import numpy as np

from striate.data import OpenedImage, UnreadableError
from striate.data.check.scan import scan_images


def scan_image(image: OpenedImage) -> np.void:
    """Its record; what cannot be decoded is an UnreadableError."""
    records, reasons = scan_images(lambda _: image, [0])
    if reasons:
        raise UnreadableError(reasons[0])
    record: np.void = records[0]
    return record
