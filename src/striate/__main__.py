"""Lets `python -m striate` do what the command `striate` does."""

from striate.cli.app import main

main()
