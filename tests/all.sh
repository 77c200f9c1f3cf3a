#!/usr/bin/env bash
# Every test, in two halves at the same time: the end-to-end tests mostly wait for containers, the others only compute.
# The end-to-end tests are shown as they run, the others when both halves have ended.
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
OVERTIME_ALL_FAULTS=1 .venv/bin/pytest -m "not e2e" >"$log" 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null; wait "$others" 2>/dev/null; rm -f "$log"' EXIT
.venv/bin/pytest -m e2e local/tests tests/e2e
end_to_end=$?
wait "$others"
computed=$?
cat "$log"
echo "end-to-end tests: exit code $end_to_end; all others: exit code $computed"
exit $((end_to_end ? end_to_end : computed))
