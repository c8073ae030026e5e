"""What the processes that mark are forked from: all imports, made once."""

import gc

# Else every few imports a collection goes through all that were made so far, and later ones in each
# worker through what it will never free.
gc.disable()

import proctor.grading.marking  # noqa: E402, F401

gc.freeze()
gc.enable()
