"""Evaluation: how good a model is, with an interval, on images that did not choose it."""

from striate.evaluation.record import Evaluation
from striate.evaluation.scores import Column, Scored, evaluate, evaluation_rows
from striate.evaluation.summary import summarise

__all__ = ["Column", "Evaluation", "Scored", "evaluate", "evaluation_rows", "summarise"]
