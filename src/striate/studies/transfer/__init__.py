"""What weights learned elsewhere are good for."""
