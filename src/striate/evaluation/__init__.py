"""Evaluation: how good a model is, with an interval, on images that did not choose it."""

from striate.evaluation.scores import Evaluation, evaluate, evaluation_rows

__all__ = ["Evaluation", "evaluate", "evaluation_rows"]
