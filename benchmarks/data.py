"""Photos to training batches: striate's loader beside a torch DataLoader that decodes with Pillow, as people write it.

usage: python benchmarks/data.py [FOLDER_OF_CLASS_FOLDERS]

Both make batches of 64 random resized crops of 224 pixels, mirrored half the time. The reference decodes each JPEG
whole, crops and resizes it with Pillow (bilinear, antialiased), makes float tensors, and hands them between processes.
"""

import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from _timing import compare
from striate.data import IndexedPictures, Loader, Preprocessing, batches, epoch_order, read, training_view
from striate.data.preprocessing import MEAN_STD
from striate.device import cores
from striate.recipe import AugmentRecipe

SIZE, BATCH = 224, 64
AUGMENT = AugmentRecipe(crop_scale=(0.08, 1.0))
DATA = Path(__file__).parents[2] / "shared" / "data" / "hymenoptera"


class Photos(Dataset[Tensor]):
    """Float tensors (3, 224, 224) of random crops."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> Tensor:
        image = Image.open(self.paths[i]).convert("RGB")
        area = random.uniform(*AUGMENT.crop_scale) * image.width * image.height
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        width = min(round(math.sqrt(area * aspect)), image.width)
        height = min(round(math.sqrt(area / aspect)), image.height)
        left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
        image = image.crop((left, top, left + width, top + height)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        if random.random() < AUGMENT.mirror:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        return (pixels - torch.tensor(MEAN_STD[3][0])[:, None, None]) / torch.tensor(MEAN_STD[3][1])[:, None, None]


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA
    if not data.exists():
        print(f"data: skipped, because {data} is not there")
        return
    index = read(data)
    rows = np.flatnonzero(index.usable())
    preprocessing = Preprocessing((3, SIZE, SIZE), *MEAN_STD[3])
    pictures = IndexedPictures(index)
    epochs: Iterator[int] = iter(range(1000))

    def ours() -> int:
        epoch = next(epochs)
        parts = batches(epoch_order(rows, 0, epoch), BATCH)
        view = training_view(AUGMENT, preprocessing.size, 0, epoch)
        loader = Loader(pictures, parts, preprocessing, view, workers=cores())
        return sum(len(preprocessing.normalise(batch.images)) for batch in loader)

    photos = Photos([index.root / path for path in index.paths(rows)])

    def reference() -> int:
        return sum(len(batch) for batch in DataLoader(photos, BATCH, shuffle=True, num_workers=cores()))

    a, b, ratio = compare(ours, reference)
    print(f"{len(rows)} photos of {data.name}, {cores()} cores, pictures a second")
    print(f"striate loader               {a:8.0f}")
    print(f"torch DataLoader and Pillow  {b:8.0f}")
    print(f"ratio                        {ratio:8.2f}")


if __name__ == "__main__":
    main()
