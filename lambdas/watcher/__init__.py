"""The watcher: closes or relaunches runs whose task stopped without an outcome, and notifies destinations."""
