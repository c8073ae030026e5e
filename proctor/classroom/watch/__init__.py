"""Graded as it comes in: what `proctor watch` takes, marks, shows and writes down."""
