"""The types of single settings; how their rules are said is in `rules`, those that are ARNs are in `arn_types`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from overtime.contract.capacity import Capacity
from overtime.contract.rescue import Rescue
from overtime.contract.runtimes import DEFAULT, RUNTIMES
from overtime.settings.fargate_sizes import MEMORY_MIB
from overtime.settings.rules import DAY_SECONDS, Int, Seconds, as_list, broken, few, nothing, number, ruled

SHORTEST_RUN_SECONDS = 60
LONGEST_RUN_SECONDS = 14 * DAY_SECONDS
"""Fargate keeps a task at most 14 days when it retires a platform revision, so a longer promise would not be kept."""

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))


def _runtime(value: str) -> str:
    if value not in RUNTIMES:
        raise ValueError(value)
    return value


def _private(value: str) -> str:
    network = ipaddress.IPv4Network(value)
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise broken("The VPC needs a private range, because its subnets must not shadow public addresses.", CIDR)
    if not 16 <= network.prefixlen <= 24:  # noqa: PLR2004 - the rule beside it says the same numbers
        raise broken("A VPC takes /16 to /28, and its public subnets need the room of a /24 or larger.", CIDR)
    if str(network) != value:
        raise broken(
            "AWS takes a range with the length of its prefix after the slash, and no other notation.", str(network)
        )
    return value


*_OTHERS, _NEWEST = RUNTIMES
CIDR = "10.42.0.0/16"
CPU_RULE = f"Fargate takes {', '.join(map(str, MEMORY_MIB))} cpu units (1024 are one vCPU)."
MEMORY_RULE = "Fargate takes whole MiB from 512 up, in fixed pairs with cpu."
HANDLER_RULE = "A handler reads module.function, such as handler.handler, pkg.mod.main or pkg/mod.main."
CODE_RULE = "Give the folder or the .zip that holds the function's code, relative to the project."
MANUAL_URL = "https://wiki.example.com/overtime/operating"
IMAGE_RULE = "Give an image that has Lambda's runtime client for this version, such as one of AWS's base images."

Runtime = Annotated[
    str,
    AfterValidator(_runtime),
    ruled(f"overtime runs {', '.join(_OTHERS)} and {_NEWEST} so far.", DEFAULT.name),
]
Architecture = Annotated[
    Literal["x86_64", "arm64"],
    ruled("Lambda and Fargate run x86_64 and arm64; function, image and task share this setting.", "x86_64"),
]
Code = Annotated[str, StringConstraints(pattern=r"^[^\p{C}]+$"), ruled(CODE_RULE, "lambdas/primary")]
Handler = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)*\.[A-Za-z_][A-Za-z0-9_]*$", max_length=128),
    ruled(HANDLER_RULE, "handler.handler"),
]
TimeoutSeconds = Annotated[
    Int,
    # `Timeout` in Lambda's service model. Which of the two limits holds is for AWS to say: it has moved before.
    Field(ge=1, le=5400),
    ruled(
        "Lambda lets one attempt run 1 to 1800 seconds, on Managed Instances 5400; longer is the fallback's part.", 900
    ),
]
MemoryMib = Annotated[Int, Field(ge=128, le=10240), ruled("Lambda takes 128 to 10240 MiB of memory.", 512)]
Attempts = Annotated[
    Int, Field(ge=0, le=3), ruled("Lambda makes 1 to 3 attempts; 0 sends every event straight to Fargate.", 3)
]
EventAge = Annotated[
    Seconds, Field(ge=60, le=21600), ruled("Lambda keeps an event for 60s to 6h before it gives up.", "6h")
]
RescueRule = Annotated[Rescue, ruled("A rule is timeout, out_of_memory or any.", "timeout")]
Rescues = Annotated[
    tuple[RescueRule, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
]
MaxRuntime = Annotated[
    Seconds,
    Field(ge=SHORTEST_RUN_SECONDS, le=LONGEST_RUN_SECONDS),
    ruled("A run takes 60s to 14d, written like 90m, 6h or 1d12h; Fargate may stop a longer task.", "7d"),
]
Receives = Annotated[
    Int,
    Field(ge=5, le=1000),
    ruled("5 to 1000: below 5 a busy moment of the dispatcher would park events that are fine.", 5),
]
Action = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9-]+:[A-Za-z0-9*]+)$"),
    ruled("An IAM action reads service:Action, such as s3:GetObject.", "s3:GetObject"),
]
Cpu = Annotated[Literal[256, 512, 1024, 2048, 4096, 8192, 16384], BeforeValidator(number), ruled(CPU_RULE, 1024)]
TaskMemoryMib = Annotated[Int, Field(ge=512, le=122880), ruled(MEMORY_RULE, 4096)]
EphemeralGib = Annotated[Int, Field(ge=21, le=200), ruled("Fargate takes 21 to 200 GiB of ephemeral storage.", 21)]
StopSeconds = Annotated[
    Int, Field(ge=2, le=120), ruled("Fargate waits 2 to 120 seconds between SIGTERM and SIGKILL.", 120)
]
Cidr = Annotated[str, AfterValidator(_private), ruled("An IPv4 range reads like 10.42.0.0/16, host bits zero.", CIDR)]
Zones = Annotated[
    Int, Field(ge=2, le=6), ruled("2 to 6 zones: with one, its outage would stop every run; no region has more.", 2)
]
SubnetId = Annotated[
    str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$"), ruled("A subnet's id reads subnet-0123456789abcdef0.")
]
SecurityGroupId = Annotated[
    str, StringConstraints(pattern=r"^sg-[0-9a-f]+$"), ruled("A security group's id reads sg-0123456789abcdef0.")
]
SubnetIds = Annotated[
    tuple[SubnetId, ...], few(16, "ECS takes 16 subnets for a task; here are {}. Two zones with one each are enough.")
]
SecurityGroupIds = Annotated[
    tuple[SecurityGroupId, ...], few(5, "ECS takes 5 security groups for a task; here are {}. Merge their rules.")
]
LogDays = Annotated[
    Int,
    AfterValidator(lambda days: LOG_DAYS[LOG_DAYS.index(days)]),
    ruled(f"CloudWatch keeps logs for {', '.join(map(str, LOG_DAYS[:-1]))} or {LOG_DAYS[-1]} days.", 30),
]
RunsDays = Annotated[Int, Field(ge=1, le=3650), ruled("Runs are kept 1 to 3650 days.", 30)]
ImageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$"), ruled(IMAGE_RULE)]
Switch = Annotated[bool, ruled("This is true or false.", "false")]
TaskAttempts = Annotated[
    Int,
    Field(ge=1, le=10),
    ruled("A run has 1 to 10 task attempts; a further one follows only if AWS interrupted the one before.", 3),
]
ConcurrentRuns = Annotated[
    Annotated[Int, Field(ge=1, le=1000)] | None,
    BeforeValidator(nothing),
    ruled("1 to 1000 runs of the function at once; null takes the limit away.", 20),
]
TaskCapacity = Annotated[
    Capacity,
    ruled("Tasks run on on_demand or spot capacity; spot is cheaper, and AWS may take a task away.", "on_demand"),
]
LongestWait = Annotated[
    Annotated[Seconds, Field(ge=300, le=LONGEST_RUN_SECONDS)] | None,
    BeforeValidator(nothing),
    ruled("A wait of 5m to 14d raises an alarm, written like 30m, 1h or 1d; null takes the alarm away.", "1h"),
]
ManualUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s#()<>\[\]]+$", max_length=200),
    ruled("Give the web address, at most 200 characters, at which your people read docs/operating.md.", MANUAL_URL),
]
LongestRun = Annotated[
    Annotated[Seconds, Field(ge=SHORTEST_RUN_SECONDS, le=LONGEST_RUN_SECONDS)] | None,
    BeforeValidator(nothing),
    ruled("A run takes 60s to 14d, written like 90m, 6h or 1d12h; null takes the alarm away.", "12h"),
]
