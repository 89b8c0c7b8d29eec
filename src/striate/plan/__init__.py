"""The planner: how much of a published network to keep frozen, from cached features of all its stages."""

from striate.plan.price import Price, price
from striate.plan.recommend import Plan, decide_by_head, problem_of, recommend

__all__ = ["Plan", "Price", "decide_by_head", "price", "problem_of", "recommend"]
