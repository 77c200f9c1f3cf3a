"""The dispatcher: turns each failure record on the queue into one run, and each run into one task."""
