#!/usr/bin/env bash
# Every test, in two halves at the same time, which take about as long: the end-to-end tests mostly wait for containers,
# the others only compute, and end with the end-to-end tests of the families of runtimes, which wait again.
# The end-to-end tests are shown as they run, the others when both halves have ended.
set -umo pipefail # -m: without job control, bash lets a background process ignore Ctrl-C
cd "$(dirname "$0")/.."
log=$(mktemp)
families=(
    tests/e2e/test_runtimes.py
    tests/e2e/test_sample_in_nodejs.py
    local/tests/e2e/base_images
)

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

others() {
    local first
    set -m # a background process of this one would ignore Ctrl-C, too
    trap 'kill -INT $!; wait $!; exit 130' INT
    OVERTIME_ALL_FAULTS=1 .venv/bin/pytest -p no:cacheprovider -m "not e2e" &
    wait $!
    first=$?
    .venv/bin/pytest -p no:cacheprovider -m e2e "${families[@]}" &
    wait $! && return "$first"
}

others >"$log" 2>&1 &
others=$!
.venv/bin/pytest -m e2e local/tests tests/e2e "${families[@]/#/--ignore=}" &
end_to_end=$!
trap stop INT TERM
wait "$end_to_end"
first=$?
wait "$others"
second=$?
echo "end-to-end tests: exit code $first; all others, shown below: exit code $second"
show $((first ? first : second))
