"""Deadlines: who has more time, which late days are used, and what being late costs."""
