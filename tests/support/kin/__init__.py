"""Small data sets as tools and people leave them: for each, its files and what it means."""

from kin import folders, masks, objects, tables
from kin.make import KIN, Means, write

__all__ = ["KIN", "Means", "folders", "masks", "objects", "tables", "write"]
