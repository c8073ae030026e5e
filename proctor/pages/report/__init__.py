"""The report on one assignment of a class: one HTML page that needs nothing else, a CSV or JSON."""
