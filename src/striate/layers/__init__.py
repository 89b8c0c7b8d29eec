"""Operators that PyTorch lacks, one in each file."""
