"""How long functions of other families take to start in the runner's image."""
