"""What is known and not read, and what to do about it."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from striate.data.layouts.tree import Tree
from striate.files import list_names, open_regular

UNREAD = {
    (
        ".tfrecord",
        ".tfrecords",
        ".tfrec",
    ): "TFRecord files are not read: write their images into class folders or Parquet",
    ("data.mdb", ".lmdb"): "an LMDB database is not read: write its images into class folders or Parquet",
    (".mat",): "MATLAB files are not read: write their labels into a CSV of file and label",
    (
        ".h5",
        ".hdf5",
    ): "HDF5 files are not read: write their arrays into an .npz file, or their images into class folders",
    (".pkl", ".pickle", "data_batch_1", "data_batch_5", "test_batch"): (
        "pickles are never opened, because they may run any code: write them into an .npz file"
    ),
    (".bin",): "binary files without a header are not read: write them into an .npz file",
    (".rec", ".beton"): "records of MXNet and FFCV are not read: write their images into class folders",
    (".arrow",): "Arrow files of `datasets` are not read: save the data set with `to_parquet`",
    (".pt", ".pth"): "files of PyTorch are not read as data: write their arrays into an .npz file",
    (".xlsx", ".xls", ".ods"): "spreadsheets are not read: save them as CSV",
    (
        ".dcm",
        ".nii",
        ".nii.gz",
        ".mha",
        ".nrrd",
    ): "medical volumes are not read: write their slices as PNG or TIFF files",
    (".7z", ".rar"): "archives of 7-Zip and RAR are not read: unpack them",
    (".svs", ".ndpi", ".mrxs"): "whole slides are not read: cut them into tiles",
    (".zarr",): "Zarr arrays are not read: write their images into class folders",
    (".mp4", ".avi", ".mov", ".mkv"): "videos are not read: write their frames as JPEG files",
    (".cr2", ".nef", ".arw", ".dng", ".orf"): "raw photos of cameras are not read: develop them to JPEG or TIFF",
}

FEW, HEAD = 50, 100  # files that are looked into, and bytes of each
LOOKED_INTO: dict[str, Callable[[bytes], object]] = {
    UNREAD[".pkl", ".pickle", "data_batch_1", "data_batch_5", "test_batch"]: re.compile(rb"\x80[\x02-\x05]").match,
    "tables of pixels are not read: write them into an .npz file": re.compile(
        rb"(?i)[^\n]*\bpixels?[0-9]*[\",;\r\n]"
    ).match,
}


def unread(tree: Tree) -> str:
    """A sentence on the files of a tree that are known and not read; "" where there are none."""
    for suffixes, sentence in UNREAD.items():
        files = list(tree.others(*suffixes))
        if files:
            return f"{sentence} ({list_names(files, 2)})."
    for sentence, holds in LOOKED_INTO.items():
        files = [file for file in islice(tree.others(""), FEW) if holds(_start(tree.read_name(file)))]
        if files:
            return f"{sentence} ({list_names(files, 2)})."
    return ""


def _start(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(HEAD)
    except OSError:
        return b""


def unread_name(name: str) -> str:
    """The sentence on one file by its name; "" where it is not known."""
    lower = name.lower()
    return next((f"{sentence}." for suffixes, sentence in UNREAD.items() if lower.endswith(suffixes)), "")
