"""Types of single settings. ARNs are in `arn_types`; `rules` attaches the error texts."""

from __future__ import annotations

import difflib
import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from overtime.contract.capacity import Capacity
from overtime.contract.limits import LONGEST_RUN_SECONDS, MOST_CONCURRENT_RUNS, MOST_LAMBDA_ATTEMPTS
from overtime.contract.rescue import Rescue
from overtime.contract.runtimes import CHECKED, DEFAULT, FAMILIES, RUNTIMES, UNSUPPORTED, newest, successor
from overtime.settings.fargate_sizes import MEMORY_MIB
from overtime.settings.rules import Int, Seconds, as_list, broken, few, nothing, number, ruled

SHORTEST_RUN_SECONDS = 60

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


def _runtime(value: str) -> str:
    if family := UNSUPPORTED.get(value):
        use = newest(family).name
        program = f" with an executable named {family.own_bootstrap}" if family.own_bootstrap else ""
        raise broken(f"overtime does not support {value}. Use {use}{program}.", use)
    if value not in RUNTIMES:
        raise broken(f"overtime supports {_LISTED}.", _nearest(value))
    return value


def _nearest(value: str) -> str:
    """Return the runtime that an unknown one probably means: a name with a typo, or another version."""
    current = [each.name for each in RUNTIMES.values() if each.deprecated > CHECKED]
    typo, similar = (difflib.get_close_matches(value, current, n=1, cutoff=cutoff) for cutoff in (0.88, 0.5))
    family = [newest(family).name for family in FAMILIES if family.includes(value)]
    return [*typo, *family, *similar, DEFAULT.name][0]


def _creatable(value: str) -> str:
    if not (runtime := RUNTIMES[value]).creatable:
        use = successor(runtime).name
        raise broken(f"Lambda has created no functions with {value} since {runtime.no_new_functions}. Use {use}.", use)
    return value


def _private(value: str) -> str:
    network = ipaddress.IPv4Network(value)
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise broken("The VPC needs a private range, because its subnets must not shadow public addresses.", CIDR)
    if not 16 <= network.prefixlen <= 24:  # noqa: PLR2004 - the rule beside it has the same numbers
        raise broken("The range must be /16 (the largest VPC) to /24 (the smallest for its public subnets).", CIDR)
    if str(network) != value:
        raise broken("AWS only accepts a range with its prefix length after the slash.", str(network))
    return value


_LISTED = "; ".join(
    ", ".join(each.name for each in RUNTIMES.values() if each.family is family and each.creatable)
    for family in FAMILIES
)
*_CPUS, _MOST_CPU = MEMORY_MIB
CIDR = "10.42.0.0/16"
CPU_RULE = f"Fargate offers {', '.join(map(str, _CPUS))} or {_MOST_CPU} CPU units (1024 are one vCPU)."
MEMORY_RULE = "Fargate offers fixed memory sizes for each cpu, from 512 to 122880 MiB."
HANDLER_RULE = (
    "Give the handler in its runtime's notation (Python: module.function), in at most 128 characters without spaces."
)
CODE_RULE = "Give the folder or .zip (for Java, also .jar) that contains the function's code, relative to the project."
MANUAL_URL = "https://wiki.example.com/overtime/operating"
IMAGE_RULE = "Give an image that contains Lambda's runtime client for this version, such as one of AWS's base images."

RuntimeName = Annotated[str, AfterValidator(_runtime), ruled(f"overtime supports {_LISTED}.", DEFAULT.name)]
Runtime = Annotated[RuntimeName, AfterValidator(_creatable)]
Architecture = Annotated[
    Literal["x86_64", "arm64"],
    ruled("The architecture of function, image and task is x86_64 or arm64.", "x86_64"),
]
Code = Annotated[str, StringConstraints(pattern=r"^[^\p{C}]+$"), ruled(CODE_RULE, "lambdas/primary")]
Handler = Annotated[
    str,
    # `Handler` of CreateFunction in Lambda's service model; `code_checks` has the rules of each family of runtimes.
    StringConstraints(pattern=r"^[^\s]+$", max_length=128),
    ruled(HANDLER_RULE, DEFAULT.family.handler.example),
]
TimeoutSeconds = Annotated[
    Int,
    # `Timeout` in Lambda's service model. AWS decides which of the two limits applies, and has changed them before.
    Field(ge=1, le=5400),
    ruled(
        "Lambda allows 1 to 1800 seconds per attempt (Managed Instances: 5400); longer runs continue on Fargate.", 900
    ),
]
MemoryMib = Annotated[Int, Field(ge=128, le=10240), ruled("Lambda offers 128 to 10240 MiB of memory.", 512)]
EphemeralStorageMib = Annotated[
    Int, Field(ge=512, le=10240), ruled("Lambda offers 512 to 10240 MiB for /tmp; Fargate has task.ephemeral_gib.", 512)
]
MOUNT_PATH_RULE = "A function mounts a file system at /mnt/NAME, with a name of letters, digits, -, _ and dots."
MountPath = Annotated[
    str,
    # `LocalMountPath` in Lambda's service model.
    StringConstraints(pattern=r"^/mnt/[a-zA-Z0-9_.-]+$", max_length=160),
    ruled(MOUNT_PATH_RULE, "/mnt/data"),
]
Tracing = Annotated[
    Literal["active", "pass_through"],
    ruled("Tracing is active (X-Ray samples invocations) or pass_through (only if the caller has).", "pass_through"),
]
LogFormat = Annotated[Literal["text", "json"], ruled("Lambda's log format is text or json.", "text")]
Attempts = Annotated[
    Int,
    Field(ge=0, le=MOST_LAMBDA_ATTEMPTS),
    ruled("Lambda makes 1 to 3 attempts; 0 sends every event straight to Fargate.", 3),
]
EventAge = Annotated[Seconds, Field(ge=60, le=21600), ruled("Lambda allows a maximum event age of 60s to 6h.", "6h")]
RescueRule = Annotated[Rescue, ruled("A rescue rule names timeout, out_of_memory or any.", "timeout")]
Rescues = Annotated[
    tuple[RescueRule, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
]
MaxRuntime = Annotated[
    Seconds,
    Field(ge=SHORTEST_RUN_SECONDS, le=LONGEST_RUN_SECONDS),
    ruled("A run may take 60s to 14d, written like 90m, 6h or 1d12h; Fargate may stop a longer task.", "7d"),
]
Receives = Annotated[
    Int,
    Field(ge=5, le=1000),
    ruled("5 to 1000 deliveries; with fewer than 5, brief throttling of the dispatcher could park valid records.", 5),
]
Action = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9-]+:[A-Za-z0-9*]+)$"),
    ruled("An IAM action has the form service:Action, such as s3:GetObject.", "s3:GetObject"),
]
Cpu = Annotated[Literal[256, 512, 1024, 2048, 4096, 8192, 16384], BeforeValidator(number), ruled(CPU_RULE, 1024)]
TaskMemoryMib = Annotated[Int, Field(ge=512, le=122880), ruled(MEMORY_RULE, 4096)]
EphemeralGib = Annotated[Int, Field(ge=21, le=200), ruled("Fargate offers 21 to 200 GiB of ephemeral storage.", 21)]
StopSeconds = Annotated[
    Int, Field(ge=2, le=120), ruled("Fargate allows 2 to 120 seconds between SIGTERM and SIGKILL.", 120)
]
Cidr = Annotated[
    str, AfterValidator(_private), ruled("An IPv4 range has the form 10.42.0.0/16, with all host bits zero.", CIDR)
]
Zones = Annotated[
    Int,
    Field(ge=2, le=6),
    ruled("2 to 6 zones: with one, its outage would stop every run; no region has more than 6.", 2),
]
SubnetId = Annotated[
    str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$"), ruled("A subnet id has the form subnet-0123456789abcdef0.")
]
SecurityGroupId = Annotated[
    str, StringConstraints(pattern=r"^sg-[0-9a-f]+$"), ruled("A security group id has the form sg-0123456789abcdef0.")
]
SubnetIds = Annotated[
    tuple[SubnetId, ...],
    few(16, "A task can have 16 subnets; this list has {}. One subnet in each of two zones is enough."),
]
SecurityGroupIds = Annotated[
    tuple[SecurityGroupId, ...], few(5, "A task can have 5 security groups; this list has {}. Merge their rules.")
]
LogDays = Annotated[
    Int,
    AfterValidator(lambda days: LOG_DAYS[LOG_DAYS.index(days)]),
    ruled(f"CloudWatch can keep logs for {', '.join(map(str, LOG_DAYS[:-1]))} or {LOG_DAYS[-1]} days.", 30),
]
RunsDays = Annotated[Int, Field(ge=1, le=3650), ruled("Runs can be kept for 1 to 3650 days.", 30)]
_ImageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$")]
ImageName = Annotated[_ImageName, ruled(IMAGE_RULE)]
PythonImageName = Annotated[
    _ImageName,
    ruled("Give an image with Python 3.11 or newer, glibc 2.34 or newer, and CA certificates.", DEFAULT.base_image),
]
Switch = Annotated[bool, ruled("This setting is true or false.", "false")]
TaskAttempts = Annotated[
    Int,
    Field(ge=1, le=10),
    ruled("A run may use 1 to 10 task attempts; another one follows only if AWS interrupted the one before.", 3),
]
ConcurrentRuns = Annotated[
    Annotated[Int, Field(ge=1, le=MOST_CONCURRENT_RUNS)] | None,
    BeforeValidator(nothing),
    ruled("1 to 1000 runs may have a task at the same time; null removes the limit.", 20),
]
TaskCapacity = Annotated[
    Capacity,
    ruled("The capacity is on_demand or spot; spot is cheaper, but AWS may interrupt its tasks.", "on_demand"),
]
LongestWait = Annotated[
    Annotated[Seconds, Field(ge=300, le=LONGEST_RUN_SECONDS)] | None,
    BeforeValidator(nothing),
    ruled("The threshold is 5m to 14d, written like 30m, 1h or 1d; null removes the alarm.", "1h"),
]
ManualUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s#()<>\[\]]+$", max_length=200),
    ruled("Give the URL of your team's copy of docs/operating.md, in at most 200 characters.", MANUAL_URL),
]
LongestRun = Annotated[
    Annotated[Seconds, Field(ge=SHORTEST_RUN_SECONDS, le=LONGEST_RUN_SECONDS)] | None,
    BeforeValidator(nothing),
    ruled("The threshold is 60s to 14d, written like 90m, 6h or 1d12h; null removes the alarm.", "12h"),
]
