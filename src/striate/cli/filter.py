"""striate filter: edges of an image by a filter designed by hand, with the arithmetic of one value on request."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from striate.cli.flags import require_apart
from striate.errors import DataError, UsageError
from striate.files import whole_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from striate.arithmetic import Padding

PRINTED = 12  # values a side of an output that is printed as numbers
MOST_PADDING = 10_000  # pixels on every side
NUMBERS = (".csv", ".tsv", ".txt")


def filter_image(
    image: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    filter_name: Annotated[
        Literal["vertical", "horizontal", "sobel", "scharr"], Parameter(name="--filter")
    ] = "vertical",
    angle: float = 0.0,
    kernel: Path | None = None,
    channel: Literal["grey", "red", "green", "blue", "sum"] = "grey",
    convolution: Annotated[bool, Parameter(negative="")] = False,
    absolute: Annotated[bool, Parameter(negative="")] = False,
    padding: str = "valid",
    border: Literal["zeros", "edge", "reflect"] = "zeros",
    stride: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    steps: str = "",
) -> None:
    """Lay a filter on an image and draw its output: vertical or horizontal edges, or those at any angle.

    Args:
        image: Image, or a text file of numbers (.csv, .tsv, .txt), one row a line.
        output: PNG to write, or .csv for the numbers; IMAGE-FILTER.png in this folder unless given.
        filter_name: The 3x3 filter: plain differences, or Sobel's or Scharr's, which weigh the middle more.
        angle: Degrees by which the bright side turns clockwise: 0 from the left, 90 from the top.
        kernel: Text file of a filter's numbers instead; three blocks with an empty line between are red, green, blue.
        channel: What it is laid on; `sum` adds the outputs of red, green and blue.
        convolution: Turn the filter by 180 degrees first: true convolution, which networks do not do.
        absolute: Draw absolute values, black for 0; otherwise grey is 0, white is positive.
        padding: Pixels added on every side, `same` or `valid` (none).
        border: What the padding holds: zeros, the nearest pixel, or the mirrored image.
        stride: Pixels from one output to the next.
        steps: Print the arithmetic of the output at this ROW,COLUMN.
    """
    from striate.console import Page
    from striate.explain.filters import Filter, matrix_text, read_kernel
    from striate.explain.filters import kernel as named_kernel

    taps = named_kernel(filter_name, angle) if kernel is None else read_kernel(kernel)
    if kernel is not None and angle:
        raise UsageError("`--angle`: expected with a named filter; got it with --kernel, which is laid on as it is.")
    values = _read(image, "sum" if taps.ndim == 3 else channel)
    if taps.ndim == 2 and values.ndim == 3:
        taps = taps[None].repeat(values.shape[2], axis=0)
    name = filter_name if kernel is None else kernel.stem
    path = _writable(output or Path(f"{image.stem}-{name}{f'-{angle:g}' if angle else ''}.png"))
    require_apart("--output", path, [image])
    used = Filter(taps, stride, _padding(padding), border, convolution=convolution, absolute=absolute)
    found = used(values)
    console = Page(highlight=False, markup=False, emoji=False)
    if steps:
        console.print(used.steps(values, *_place(steps)), soft_wrap=True)
    height, width = values.shape[:2]
    console.print(
        f"{height} x {width} -> {found.shape[0]} x {found.shape[1]} values, {found.min():g} to {found.max():g}",
        soft_wrap=True,
    )
    if max(found.shape) <= PRINTED:
        for line in matrix_text(found):
            console.print(line, soft_wrap=True)
    _write(path, found, absolute)
    console.print(f"wrote {path}", soft_wrap=True)


def _read(path: Path, channel: str) -> "NDArray[np.float64]":
    """Grey levels (H, W), or all three channels (H, W, 3) for `sum`."""
    import numpy as np

    from striate.data.decode import UnreadableError, open_image
    from striate.explain.filters import read_matrix

    if path.suffix.lower() in NUMBERS:
        return read_matrix(path, "image")
    try:
        colours = open_image(path).decode(1, 1 if channel == "grey" else 3)
    except UnreadableError as error:
        raise DataError(f"{path}: cannot be read: {error}.") from error
    values = np.asarray(colours, np.float64)
    if channel == "grey":
        return values.reshape(values.shape[:2])
    return values if channel == "sum" else values[:, :, ("red", "green", "blue").index(channel)]


def _padding(written: str) -> "Padding":
    if written in ("same", "valid"):
        return written
    if (pixels := whole_number(written)) is None or pixels > MOST_PADDING:
        raise UsageError(
            f"`--padding`: expected 0 to {MOST_PADDING} pixels, same or valid; got {written}. Try --padding same."
        )
    return pixels


def _place(written: str) -> tuple[int, int]:
    words = written.replace(",", " ").split()
    row, column = map(whole_number, words) if len(words) == 2 else (None, None)
    if row is None or column is None:
        raise UsageError(f"`--steps`: expected ROW,COLUMN of the output, from 0; got {written}. Try --steps 0,0.")
    return row, column


def _writable(path: Path) -> Path:
    """The path, if a file of one of the two kinds can be written there."""
    if path.suffix.lower() not in (".png", ".csv"):
        raise UsageError(f"`--output`: expected a name that ends in .png or .csv; got {path}.")
    if not path.parent.is_dir():
        raise UsageError(f"`--output`: expected a folder that exists; got {path.parent}.")
    return path


def _write(path: Path, values: "NDArray[np.float64]", absolute: bool) -> None:
    import numpy as np
    from PIL import Image

    from striate.explain.filters import shown
    from striate.files import write_whole

    if path.suffix.lower() == ".csv":
        write_whole(path, lambda aside: np.savetxt(aside, values, fmt="%.12g", delimiter=","))
    else:
        image = Image.fromarray(shown(values, absolute=absolute))
        write_whole(path, lambda aside: image.save(aside, format="PNG"))
