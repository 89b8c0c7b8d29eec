"""Tasks: what a network is asked, how its answer is scored, and what it means in the user's terms."""

from striate.tasks.classify import Classify, Objective, Prediction

__all__ = ["Classify", "Objective", "Prediction"]
