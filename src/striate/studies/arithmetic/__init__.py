"""What follows from arithmetic alone: seconds each, and exact."""
