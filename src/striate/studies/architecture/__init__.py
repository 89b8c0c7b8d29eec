"""How a network is built."""
