"""The heap of Node.js, Java and .NET follows the task's memory, although the handler sees the function's. Pure.

AWS's start scripts and its client for .NET limit the heap by AWS_LAMBDA_FUNCTION_MEMORY_SIZE. If the task has more
memory, the limit is raised, unless the function sets one itself. For Java, `_JAVA_OPTIONS` takes precedence over the
command line. For Node.js, the command line takes precedence over NODE_OPTIONS, and some of AWS's start scripts always
limit the heap there. So an execution wrapper adds the option to the command line, too.
"""

from __future__ import annotations

import sys

from overtime.contract import variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from overtime.contract.runtimes import Heap

_EXEC_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
WRAPPER_PLACE = "bin/heap-wrapper"
WRAPPER_FILE = f"{sys.prefix}/{WRAPPER_PLACE}"
"""Where the image has `WRAPPER` as an executable file: beside the runner's interpreter."""
WRAPPER = f"""\
#!/bin/sh
# AWS's start scripts for Node.js run this as the execution wrapper, with the interpreter's command line. It adds an
# option before the last argument, the script, and continues with the function's own wrapper, if there is one.
option=${variables.HEAP_OPTION} wrapper=${variables.EXEC_WRAPPER} left=$#
unset {variables.HEAP_OPTION} {variables.EXEC_WRAPPER} {_EXEC_WRAPPER}
while [ "$left" -gt 0 ]; do
  [ "$left" -gt 1 ] || set -- "$@" "$option"
  set -- "$@" "$1"
  shift
  left=$((left - 1))
done
[ -n "$wrapper" ] || exec "$@"
[ -f "$wrapper" ] || {{ echo "$wrapper: does not exist"; exit 127; }}
[ -x "$wrapper" ] || {{ echo "$wrapper: is not an executable"; exit 126; }}
export {_EXEC_WRAPPER}="$wrapper"
exec "$wrapper" "$@"
"""
_LEAST_REST_MIB = 96
"""What the heap leaves of the task's memory at least, for the rest of the process and for the runner."""


def with_heap(
    environment: Mapping[str, str], heap: Heap | None, *, function_mib: int, task_mib: int | None, wrapper: str | None
) -> dict[str, str]:
    """Return the environment with a heap for the task's memory, in MiB; None if the task has no limit.

    `wrapper` is the file of `WRAPPER`, or None for a runtime that needs none.
    """
    if heap is None or task_mib is None or _limits_itself(environment, heap):
        return dict(environment)
    size = min(task_mib * heap.percent // 100, task_mib - _LEAST_REST_MIB)
    if size <= function_mib * heap.percent // 100:
        return dict(environment)  # as on Lambda
    option, name = heap.option.format(mib=size, bytes=size << 20), heap.variables[0]
    options = {name: f"{environment.get(name, '')} {option}".strip(), **dict.fromkeys(heap.switches, "true")}
    if wrapper:
        own = environment.get(_EXEC_WRAPPER, "")
        options |= {_EXEC_WRAPPER: wrapper, variables.HEAP_OPTION: option, variables.EXEC_WRAPPER: own}
    return {**environment, **options}


def _limits_itself(environment: Mapping[str, str], heap: Heap) -> bool:
    values = [value for name in heap.variables if (value := environment.get(name))]
    return any(own in value for value in values for own in heap.own)
