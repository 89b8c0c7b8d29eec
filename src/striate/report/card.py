"""A model card as the Hugging Face Hub reads it: Markdown below metadata in YAML, from the record of the evaluation.

Source: the Hub's documentation of model cards, `model-index`.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from striate.files import NAME_LENGTH, fit_to_print
from striate.report.build import Report
from striate.report.charts import percent
from striate.report.metrics import about, bounds, value
from striate.report.run_page import made_of, title

MOST_CLASSES = 20  # rows of the table of classes
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")  # what means something in Markdown or HTML


def card(found: Report) -> str:
    """The model card; text from outside is shown as it is, whatever it holds."""
    evaluation = found.evaluation
    lines = [
        "---",
        *_yaml(_metadata(found)),
        "---",
        "",
        f"# {plain(title(found))}",
        "",
        f"**{plain(found.verdict.headline)}.** {plain(found.verdict.certainty)}",
        "",
        *(f"- {plain(remark.text)}" for remark in found.verdict.remarks),
        "",
        "## What it was trained on",
        "",
        *(f"- {name}: {plain(text)}" for name, text in made_of(found)),
        "",
        "## Scores",
        "",
        f"On {evaluation.count:,} images of {evaluation.split}, with 95 % intervals.",
        "",
        *_table(
            ("score", "value", "95 % interval"),
            [
                (plain(about(name).title), value(name, metric.value), bounds(name, metric))
                for name, metric in evaluation.metrics.items()
                if not name.startswith("iou_")
            ],
        ),
        *_classes(found),
        "",
        "## How to use it",
        "",
        "```python",
        "import striate",
        "",
        'model = striate.load("model.safetensors")',
        'print(model.predict("photo.jpg").top(3))',
        "```",
        "",
        "Intervals hold for new images that are drawn as these were; they know nothing of other cameras, places or "
        "times.",
        "",
    ]
    return "\n".join(lines)


def _classes(found: Report) -> Iterator[str]:
    rows = found.facts.scored_classes if found.facts.names_images else []
    if len(rows) < 2:
        return
    yield from ("", "Classes, the worst first:", "")
    yield from _table(
        ("class", "images", "right", "95 % interval"),
        [
            (
                plain(fit_to_print(each.name, NAME_LENGTH)),
                f"{each.count:,}",
                percent(each.recall.value),
                bounds("accuracy", each.recall),
            )
            for each in rows[:MOST_CLASSES]
        ],
    )
    if len(rows) > MOST_CLASSES:
        yield from ("", f"And {len(rows) - MOST_CLASSES:,} more classes, which are answered as well or better.")


def _metadata(found: Report) -> dict[str, Any]:
    """What the Hub reads."""
    evaluation, tag = found.evaluation, found.model.task.pipeline_tag
    data = fit_to_print(evaluation.data, NAME_LENGTH)
    metrics = [
        {"type": name, "name": about(name).title, "value": metric.value}
        for name, metric in evaluation.metrics.items()
        if math.isfinite(metric.value) and not name.startswith("iou_")
    ]
    result = {
        "task": {"type": tag, "name": tag.replace("-", " ").capitalize()},
        "dataset": {"name": data, "type": _slug(data), "split": evaluation.split},
        "metrics": metrics,
    }
    return {
        "library_name": "striate",
        "pipeline_tag": tag,
        "tags": ["striate", tag, evaluation.network],
        "metrics": [each["type"] for each in metrics],
        "model-index": [{"name": title(found), "results": [result]}],
    }


def _slug(name: str) -> str:
    """A name of letters, digits and hyphens.

    >>> _slug("My photos (2)")
    'my-photos-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "images"


def _yaml(value_: Any, indent: str = "") -> Iterator[str]:
    """Lines of YAML; every text is written as JSON, which YAML reads."""
    if isinstance(value_, dict):
        for key, each in value_.items():
            if isinstance(each, dict | list):
                yield f"{indent}{key}:"
                yield from _yaml(each, f"{indent}  ")
            else:
                yield f"{indent}{key}: {json.dumps(each, ensure_ascii=False)}"
        return
    for each in value_:
        if isinstance(each, dict):
            first, *rest = _yaml(each, f"{indent}  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {json.dumps(each, ensure_ascii=False)}"


def plain(text: str) -> str:
    r"""Text that Markdown and HTML show as it is.

    >>> plain("<b>a|b</b>")
    '\\<b\\>a\\|b\\</b\\>'
    """
    return MARKDOWN.sub(r"\\\1", text)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
