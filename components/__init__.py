"""What a stack is built of, one Pulumi component a file; pure calculations stand beside them."""
