"""Starts the runner; the image's entry point is the folder of this file."""

import os

from overtime.runner.main import main

if __name__ == "__main__":
    # At once, because an ordinary exit flushes and waits, and might replace the exit code with its own.
    os._exit(main())
