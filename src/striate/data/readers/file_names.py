"""Images whose class is in the name of their file, and images without a class."""

from striate.data.index import Index, build
from striate.data.layouts.file_names import compiled, label_of
from striate.data.layouts.layout import Layout
from striate.data.layouts.names import natural_key, split_of_path, telling_splits
from striate.data.layouts.options import ReadOptions
from striate.errors import DataError
from striate.files import list_names


def read(layout: Layout, options: ReadOptions) -> Index:
    """Reads images by a pattern; one that it does not fit is a row without a label.

    Raises:
        UsageError: if the pattern is not one.
        DataError: if it fits no name.
    """
    pattern = compiled(options.label_pattern)
    paths = _images(layout)
    labels = [label_of(path, pattern).strip() for path in paths]
    classes = sorted(set(labels) - {""}, key=natural_key)
    if not classes:
        shown = list_names((path.rpartition("/")[2] for path in paths), 3)
        raise DataError(
            f"`--label-pattern`: expected one that fits names such as {shown}; got {options.label_pattern!r}."
        )
    number = {name: place for place, name in enumerate(classes)}
    without = [path for path, label in zip(paths, labels, strict=True) if not label]
    notes = [f"images whose names the pattern does not fit, and which have no label: {list_names(without, 4)}."]
    return build(
        layout.tree.root,
        classes,
        paths,
        label=[number.get(label, -1) for label in labels],
        split=_splits(paths),
        notes=notes if without else (),
    )


def read_unlabelled(layout: Layout, options: ReadOptions) -> Index:
    """Reads all images as rows without a label."""
    paths = _images(layout)
    return build(layout.tree.root, (), paths, split=_splits(paths))


def _images(layout: Layout) -> list[str]:
    return [path for path, is_image in layout.tree.top.marked_files() if is_image]


def _splits(paths: list[str]) -> list[str | None]:
    """The split that each image's folders say."""
    known: dict[str, str | None] = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder not in known:
            known[folder] = split_of_path(folder) if folder else None
    splits = [known[path.rpartition("/")[0]] for path in paths]
    return splits if telling_splits(splits) else [None] * len(paths)
