"""A whole class: workers, nbgrader's converters and gradebook, the exchange, the release gate."""
