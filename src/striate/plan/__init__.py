"""The planner: how much of a published network to keep frozen, from cached features of all its stages."""

from striate.plan.recommend import Plan, recommend

__all__ = ["Plan", "recommend"]
