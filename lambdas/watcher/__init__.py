"""The watcher: closes runs whose task died, starts them anew where the fault was not theirs, and tells their owners."""
