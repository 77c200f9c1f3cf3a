"""Starts the runner; the image runs the folder that holds this file."""

import sys

from runner.main import main

if __name__ == "__main__":
    sys.exit(main())
