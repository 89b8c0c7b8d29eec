"""striate ensemble: several models as one file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from striate.cli.flags import require_apart
from striate.console import say
from striate.errors import UsageError


def ensemble(*models: Path, output: Annotated[Path, Parameter(alias="-o")]) -> None:
    """Combine models of the same classes into one that answers with the mean of their probabilities.

    Networks and sizes of images may differ. `striate evaluate` says what the ensemble gains over its members, and at
    what cost; it predicts and explains as any model does.

    Args:
        models: Model files, 2 to 15; an ensemble counts as its members.
        output: Model file to write.
    """
    from striate.ensemble import combined, members_of, share_held_out
    from striate.model import load

    if not output.parent.is_dir():
        raise UsageError(f"`--output`: expected a folder that exists; got {output.parent}.")
    require_apart("--output", output, models)
    loaded = [load(path, device="cpu") for path in models]
    found = combined(loaded)
    found.save(output)
    members = members_of(found)
    say(f"wrote {output}: {len(members)} members, {', '.join(dict.fromkeys(each.name for each in members))}")
    if not share_held_out(members):
        print(
            "its members did not learn from the same split of the same data: images that one of them did not learn "
            "from, another may have. Evaluate it on images that are new to all."
        )
