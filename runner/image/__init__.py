"""Makes the image's files while it is built, in the build stage that has a Python; nothing of this is in the image."""
