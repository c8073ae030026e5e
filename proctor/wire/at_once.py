"""Several calls in one message: how many, and for how long.

Each call has its own limit of time, so one more is not begun after `SECONDS`; what is left goes
into another message. The side that waits grants these seconds on top of the limit.
"""

MOST = 64
SECONDS = 0.1
MOST_BYTES = 4 << 20  # of the arguments, and of the results, together
