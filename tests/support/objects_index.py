"""An index with all that a reader of objects and masks may give."""

from pathlib import Path

from striate.data import Index, build


def objects_index(root: Path) -> Index:
    return build(
        root,
        ("ant", "bee"),
        ["a.png", "b.png", "c.png"],
        labels=[[0, 1, 0], [], None],
        boxes=[[[0, 0, 2, 2], [1, 1, 5, 4], [0, 0, 3, 4]], [], None],
        mask=["a.mask.png", None, None],
        weight=[2.5, None, 1],
        mask_classes=("background", "ant"),
        mask_values={0: 0, 200: 1},
        notes=("One thing is ignored.",),
    )
