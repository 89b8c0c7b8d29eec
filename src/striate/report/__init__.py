"""Reports: what a run or a model looks like to a person."""

from striate.report.figures import draw_summary

__all__ = ["draw_summary"]
