"""The runner's overhead, beside the bare interpreter and the obvious way of doing the same."""
