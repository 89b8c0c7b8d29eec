"""Reports: what a run or a model looks like to a person."""

from striate.report.figures import draw_summary
from striate.report.write import write_report

__all__ = ["draw_summary", "write_report"]
