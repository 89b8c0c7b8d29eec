"""Operators that PyTorch lacks, one a file."""
