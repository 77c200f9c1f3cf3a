"""What runs in Lambda: thin handlers over plain functions. Nothing here knows Pulumi."""
