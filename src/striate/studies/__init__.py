"""Claims of the course notes, run as experiments: each study is one file that ends in a verdict.

A study says, before it is run, what it claims, which arms it compares, what it measures, and by what rule its numbers
become a verdict. `run` makes the numbers, over seeds; `write_page` makes the page and the figure from them.
"""

from striate.studies.catalogue import names, study_named
from striate.studies.page import write_page
from striate.studies.result import Result, published
from striate.studies.runner import run
from striate.studies.study import Study
from striate.studies.verdict import Verdict

__all__ = ["Result", "Study", "Verdict", "names", "published", "run", "study_named", "write_page"]
