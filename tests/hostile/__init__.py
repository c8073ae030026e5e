"""Submissions that attack the grading, and the trial that runs them among honest ones."""
