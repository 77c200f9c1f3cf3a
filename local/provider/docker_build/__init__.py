"""Stand-in of the Pulumi plugin docker-build: images built by the `docker` command and pushed to a registry."""
