"""The verbs of `proctor`, one file each: its arguments and its run."""
