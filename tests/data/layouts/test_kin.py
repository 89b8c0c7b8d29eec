"""Layouts as tools and people leave them, each read as what it means or refused with what it may mean."""

from pathlib import Path

import numpy as np
import pytest
from kin import KIN, write

from striate.data import Index, load_mask, read
from striate.errors import StriateError


def counts(index: Index) -> dict[str | None, int]:
    """Usable, labelled rows by split."""
    splits = index.table["split"].to_pylist()
    rows = np.flatnonzero(index.usable() & index.labelled()).tolist()
    found = [splits[row] for row in rows]
    return {split: found.count(split) for split in dict.fromkeys(found)}


@pytest.mark.parametrize("name", KIN)
def test_a_layout_is_read_as_what_it_means(name: str, tmp_path: Path) -> None:
    make, means = KIN[name]
    root = write(tmp_path / "given", make())
    given = root / means.given if means.given else root
    if means.refused:
        with pytest.raises(StriateError) as caught:
            read(given, layout=means.layout_given, label_pattern=means.label_pattern)
        assert means.refused in str(caught.value)
        assert len(str(caught.value).replace(str(given), "data")) <= 480
        return
    index = read(given, layout=means.layout_given, label_pattern=means.label_pattern)
    assert index.notes[0].startswith(f"read as: {means.layout}")
    assert (index.classes, counts(index)) == (means.classes, dict(means.counts))
    assert sum(map(len, filter(None, index.table["boxes"].to_pylist()))) == means.boxes
    assert all((index.root / path).is_file() for path in index.paths())
    masked = [row for row, path in enumerate(index.table["mask"].to_pylist()) if path]
    assert len(masked) == means.masks
    if means.mask_classes:
        assert index.mask_classes == means.mask_classes
    for row in masked:
        assert set(np.unique(load_mask(index, row)).tolist()) - {0, 255}
    assert means.note in " ".join(index.notes)
