#!/usr/bin/env bash
# Every test, in two halves at the same time: the end-to-end tests mostly wait for containers, the others only compute.
# The end-to-end tests are shown as they run, the others when both halves have ended.
set -umo pipefail # -m: without job control, bash lets a background process ignore Ctrl-C
cd "$(dirname "$0")/.."
log=$(mktemp)

stop() {
    trap - INT TERM
    kill -INT "$others" "$end_to_end" 2>/dev/null # pytest then ends its fixtures, and with them whatever they started
    wait
    show 130
}

show() {
    cat "$log"
    rm -f "$log"
    exit "$1"
}

OVERTIME_ALL_FAULTS=1 .venv/bin/pytest -p no:cacheprovider -m "not e2e" >"$log" 2>&1 &
others=$!
.venv/bin/pytest -m e2e local/tests tests/e2e &
end_to_end=$!
trap stop INT TERM
wait "$end_to_end"
first=$?
wait "$others"
second=$?
echo "end-to-end tests: exit code $first; all others, shown below: exit code $second"
show $((first ? first : second))
