"""Masks by the lengths of runs: in either order of pixels, and broken."""

from pathlib import Path

import numpy as np
import pytest
from kin.make import Files, image, write

from striate.data import UnreadableError, load_mask, read

WIDTH, HEIGHT = 24, 16  # of the images of `kin`


def runs_of(mask: np.ndarray) -> str:
    """The runs of a mask, down its columns, from pixel 1."""
    edges = np.flatnonzero(np.diff(np.pad(mask.T.ravel().astype(int), 1)))
    return " ".join(f"{start + 1} {stop - start}" for start, stop in edges.reshape(-1, 2))


@pytest.mark.parametrize("along_rows", [False, True])
def test_a_mask_comes_back_in_either_order(along_rows: bool, tmp_path: Path) -> None:
    first, second = np.zeros((2, HEIGHT, WIDTH), bool)
    first[3:12, 2:14], second[5:9, 4:8] = True, True
    cells = [runs_of(mask.T if along_rows else mask) for mask in (first, second)]
    table = f"id,class,rle\n1,leaf,{cells[0]}\n1,vein,{cells[1]}\n"
    index = read(write(tmp_path, {"1.jpg": image(), "t.csv": table}))
    assert index.mask_classes == ("background", "leaf", "vein")
    assert np.array_equal(load_mask(index, 0), first + 1 * second)


@pytest.mark.parametrize("cell", ["380 9", "5 3 2 9", "1 " + "9" * 30, "7", "1 -4", "a b"])
def test_a_broken_run_is_told(cell: str, tmp_path: Path) -> None:
    table = f"ImageId,EncodedPixels\n1.jpg,{cell}\n" + "".join(f"{n}.jpg,1 3 17 3\n" for n in range(2, 99))
    images = {f"{n}.jpg": image() for n in range(1, 99)}
    (tmp_path / "t.csv").write_text(table)
    write(tmp_path, images)  # type: ignore[arg-type]
    rows = table.splitlines()
    (tmp_path / "t.csv").write_text("\n".join([rows[0], *rows[2:], rows[1]]))  # below the rows that tell what it is
    index = read(tmp_path)
    with pytest.raises(UnreadableError, match="an outline is broken: expected"):
        load_mask(index, index.paths().index("1.jpg"))


@pytest.mark.parametrize("row", ["", "7,,\n"])
def test_an_image_that_a_table_of_faults_leaves_out_has_none(row: str, tmp_path: Path) -> None:
    """Unless other images without a fault have rows, so that nobody has looked at it."""
    table = f"id,class,rle\n1,hole,21 8 37 8\n2,hole,21 8\n{row}"
    files: Files = {f"{n}.jpg": image() for n in (1, 2, 7, 8)}
    index = read(write(tmp_path, files | {"t.csv": table, "test/9.jpg": image()}))
    assert index.paths() == (["1.jpg", "2.jpg", "7.jpg"] if row else ["1.jpg", "2.jpg", "7.jpg", "8.jpg"])
    assert [np.count_nonzero(load_mask(index, number)) for number in range(len(index))] == [16, 8, 0, 0][: len(index)]
    told = "left out, images beside these that t.csv does not name: 1." if row else "read as background alone: 2."
    assert told in " ".join(index.notes)
