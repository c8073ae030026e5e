"""What crosses the border of the sandbox, both ways, and every name that both sides use."""
