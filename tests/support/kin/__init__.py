"""Small data sets as tools and people leave them: for each, its files and what it means."""

from kin import dialects, folders, lists, mask_files, masks, objects, runs, shapes, tables
from kin.make import KIN, Means, write

__all__ = [
    "KIN",
    "Means",
    "dialects",
    "folders",
    "lists",
    "mask_files",
    "masks",
    "objects",
    "runs",
    "shapes",
    "tables",
    "write",
]
