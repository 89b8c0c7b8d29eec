"""What is done with networks that have learned, and with tasks beyond one label."""
