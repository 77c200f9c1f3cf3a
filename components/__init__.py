"""The Pulumi components of a stack, one per file, and pure functions beside them."""
