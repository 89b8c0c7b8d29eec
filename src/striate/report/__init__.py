"""Reports: what a run or a model looks like to a person. What is imported of it is asked for by file."""
