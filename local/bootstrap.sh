#!/usr/bin/env bash
# Finds a Python and runs one of our modules with it: `bash local/bootstrap.sh local.checks`. No package is needed for that.
set -euo pipefail
cd "$(dirname "$0")/.."

case "$OSTYPE" in msys* | cygwin* | win32*)
    echo "overtime: 1 thing stops the set-up; nothing was changed. Fix it, then run make again.

  1. This is Windows itself ($OSTYPE).
     why: The set-up and the emulator need what Linux and macOS have: file locks, process groups, sockets in files.
     do:  run make in WSL2 (https://learn.microsoft.com/windows/wsl/install)" >&2
    exit 1
    ;;
esac

fits() { command -v "$1" >/dev/null && "$1" -c "import sys$2; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; }

# One that can make virtual environments, if there is one; else the others' report says what that one lacks.
python=""
for needs in ", venv, ensurepip" ""; do
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        if [ -z "$python" ] && fits "$candidate" "$needs"; then
            python=$candidate
        fi
    done
done
if [ -z "$python" ]; then
    found=$(python3 --version 2>/dev/null || echo "no python3 at all")
    echo "overtime: 1 thing stops the set-up; nothing was changed. Fix it, then run make again.

  1. There is no Python 3.11 or newer on PATH ($found).
     why: The program and the set-up itself are written in it. What else is missing, if anything, only it can tell.
     do:  install it (Debian, Ubuntu: sudo apt-get install python3 python3-venv; or https://www.python.org/downloads/)" >&2
    exit 1
fi
OVERTIME_PYTHON=$python exec "$python" -m "$@"
