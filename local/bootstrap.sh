#!/usr/bin/env bash
# Makes .venv with exactly what requirements.lock names. Fast when nothing changed: make runs it only when the lock did.
set -euo pipefail
cd "$(dirname "$0")/.."

python=""
for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "overtime: Python 3.11 or newer was not found. Install it (Debian/Ubuntu: apt-get install python3 python3-venv), then run make again." >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "overtime: installing python3-venv ..."
        apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "overtime: $python cannot make virtual environments. Install its venv module (Debian/Ubuntu: python3-venv), then run make again." >&2
        exit 1
    fi
fi

echo "overtime: installing the Python packages of requirements.lock ..."
"$python" -m venv --clear .venv
pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes)
# uv takes seconds where pip takes a minute, but does not read pip's configuration: where it cannot reach an index, pip does it all.
awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock >.venv/uv.lock
if ! { "${pip[@]}" -r .venv/uv.lock && .venv/bin/uv pip sync --quiet --require-hashes --python .venv/bin/python requirements.lock; }; then
    "${pip[@]}" -r requirements.lock
fi
touch .venv/.ready
