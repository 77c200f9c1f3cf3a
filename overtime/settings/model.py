"""The settings themselves; what single values may be is in `values`, `arn_types`, `environment` and `tags`.

A test holds the README's table against them.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from overtime.contract.capacity import Capacity
from overtime.contract.rescue import Rescue
from overtime.contract.runtimes import DEFAULT, RUNTIMES
from overtime.settings import arn_types, values
from overtime.settings.environment import Environment  # noqa: TC001 - likewise
from overtime.settings.rules import DAY_SECONDS
from overtime.settings.tags import Tags  # noqa: TC001 - likewise

__all__ = [
    "Alarms",
    "Cluster",
    "Dashboard",
    "Destinations",
    "Function",
    "FunctionAlarms",
    "Image",
    "Network",
    "Permission",
    "Rescue",
    "Retention",
    "Settings",
    "Task",
]


class Section(BaseModel):
    """A part of the settings: closed (a key that nobody reads is a mistake) and never changed once read."""

    # `hide_input_in_errors`: pydantic's own error texts must not show a variable's value either.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Permission(Section):
    """One statement of the function's role: what its handler may do, in Lambda and on Fargate alike."""

    actions: Annotated[tuple[values.Action, ...], Field(min_length=1)]
    """IAM actions."""
    resources: Annotated[tuple[arn_types.ResourceArn, ...], Field(min_length=1)]
    """ARNs the actions apply to."""


class Task(Section):
    """The size of the Fargate task that finishes what Lambda could not."""

    cpu: values.Cpu = 1024
    """cpu units; 1024 are one vCPU."""
    memory_mib: values.TaskMemoryMib = 4096
    """Memory; Fargate runs fixed pairs with `cpu` only."""
    ephemeral_gib: values.EphemeralGib = 21
    """Room for the code, the layers and `/tmp` together."""
    stop_timeout_seconds: values.StopSeconds = 120
    """Time between SIGTERM and SIGKILL when the task is stopped."""
    capacity: values.TaskCapacity = Capacity.ON_DEMAND
    """What it runs on; with `spot` the first attempt does where there is room, every later one is on demand."""


class Destinations(Section):
    """Who is told how a run ended, with the record that Lambda would have sent."""

    on_success: arn_types.DestinationArn | None = None
    """ARN of the queue, topic, event bus or function that is told of runs that succeeded."""
    on_failure: arn_types.DestinationArn | None = None
    """Likewise of runs that failed, timed out, were cancelled, or were not rescued."""
    kms_key_arns: tuple[arn_types.KmsKeyArn, ...] = ()
    """ARNs of the KMS keys that these queues and topics are encrypted with; the watcher gets the right to use them."""

    @property
    def arns(self) -> list[str]:
        """Those that are given."""
        return [arn for arn in (self.on_success, self.on_failure) if arn]


class FunctionAlarms(Section):
    """Alarms that only make sense with a function's own numbers."""

    longest_run: values.LongestRun = 12 * 3600
    """An alarm is raised by a run at work for longer, such as `6h`; in seconds once read. With null, there is none."""
    longest_wait: values.LongestWait = 3600
    """An alarm is raised by a run that waits longer for a task, such as `2h`; in seconds once read."""


class Function(Section):
    """A primary function, and what happens when it runs out of time."""

    code: values.Code
    """Folder or `.zip`, relative to the project."""
    enabled: values.Switch = True
    """Whether failures are handed over. With `false` the function drains: what runs goes on, nothing new begins."""
    handler: values.Handler
    """`module.function`, as Lambda takes it."""
    runtime: values.Runtime = DEFAULT.name
    """Lambda's name of the language and version; the runner image follows it."""
    architecture: values.Architecture = "x86_64"
    """Of the function, its image and its task: one setting, or the container dies with `exec format error`."""
    timeout_seconds: values.TimeoutSeconds = 900
    """How long one attempt may take on Lambda."""
    memory_mib: values.MemoryMib = 512
    """Memory on Lambda."""
    environment: Environment = {}
    """The function's variables. Every value is treated as a secret: it is encrypted in the state and never shown."""
    layers: arn_types.Layers = ()
    """ARNs of layer versions, in Lambda's order."""
    attempts: values.Attempts = 3
    """Attempts on Lambda before the fallback; 0 goes straight to Fargate."""
    max_event_age: values.EventAge = 21600
    """How long Lambda keeps trying, such as `1h`; in seconds once read."""
    rescue: values.Rescues = (Rescue.TIMEOUT, Rescue.OUT_OF_MEMORY)
    """Which failures are handed over; the others are kept on the parking queue."""
    permissions: tuple[Permission, ...] = ()
    """What the handler may do beside writing its log."""
    policy_arns: arn_types.PolicyArns = ()
    """Managed policies for the function's role."""
    max_runtime: values.MaxRuntime = 7 * DAY_SECONDS
    """How long a run may take on Fargate, such as `6h`; in seconds once read."""
    max_receive_count: values.Receives = 5
    """Deliveries to the dispatcher before a failure record is parked."""
    max_task_attempts: values.TaskAttempts = 3
    """How many tasks a run may use if AWS interrupts them; a handler's error is never retried."""
    max_concurrent_runs: values.ConcurrentRuns = 20
    """Runs of the function that may have a task at once; the others wait in the queue. With null, there is no limit."""
    task: Task = Task()
    """The Fargate task."""
    destinations: Destinations = Destinations()
    """Who is told how a run ended."""
    alarms: FunctionAlarms = FunctionAlarms()
    """Alarms with the function's own numbers."""

    @property
    def longest_run(self) -> int | None:
        """After how many seconds a run raises an alarm; `None` where it ends before, or nobody wants to know."""
        longest = self.alarms.longest_run
        return longest if longest is not None and longest < self.max_runtime else None


class Network(Section):
    """Where the tasks run: a VPC of their own, or subnets that exist."""

    cidr: values.Cidr = values.CIDR
    """Range of the VPC that is made when no subnets are given."""
    availability_zones: values.Zones = 2
    """Zones of the VPC that is made, with one public subnet each."""
    subnet_ids: values.SubnetIds = ()
    """Subnets that exist; they need a way to ECR, S3, DynamoDB, Lambda and CloudWatch Logs."""
    security_group_ids: values.SecurityGroupIds = ()
    """Security groups for tasks in given subnets."""
    assign_public_ip: values.Switch | None = None
    """Whether tasks get a public address; by default yes in the VPC that is made, no in given subnets."""

    @property
    def public_ip(self) -> bool:
        """Whether tasks get a public address, the default applied."""
        return not self.subnet_ids if self.assign_public_ip is None else self.assign_public_ip


class Retention(Section):
    """How long things are kept."""

    logs_days: values.LogDays = 30
    """Days in the log groups."""
    runs_days: values.RunsDays = 30
    """Days that runs, their events and their results are kept; never fewer than 28, which a late task may need."""
    force_destroy: values.Switch = False
    """Whether `pulumi destroy` may delete stored runs, events and results, and queues with messages."""


class Image(Section):
    """What the runner image is made from."""

    base_images: Mapping[values.Runtime, values.ImageName] = {}
    """Base image per runtime, for people with a mirror; by default AWS's own of that version."""

    def base_of(self, runtime: values.Runtime) -> str:
        """Give the base image of a runtime such as `python3.13`."""
        return self.base_images.get(runtime, RUNTIMES[runtime].base_image)


class Cluster(Section):
    """The ECS cluster."""

    container_insights: values.Switch = False
    """Whether CloudWatch collects metrics per task; it costs extra."""


class Alarms(Section):
    """CloudWatch alarms on what a person has to look at; each costs 10 cents a month."""

    enabled: values.Switch = True
    """Whether there are any."""
    action_arns: arn_types.AlarmActions = ()
    """Who is told, such as a topic's ARN; by default a topic that the program makes, for people to subscribe to."""
    ticket_arns: arn_types.AlarmActions = ()
    """Who is told, instead of `action_arns`, about what can wait until the morning; by default the same."""
    skipped: values.Switch = True
    """Whether there is an alarm on failures that `rescue` does not name, such as an exception."""
    manual_url: values.ManualUrl | None = None
    """Where people read `docs/operating.md` on the web, so that each alarm can link to its section."""


class Dashboard(Section):
    """The CloudWatch dashboard of the stack; the first three of an account are free, others cost $3 a month."""

    enabled: values.Switch = True
    """Whether there is one."""


class Settings(Section):
    """Everything that a stack is made of."""

    functions: Annotated[Mapping[str, Function], Field(min_length=1)]
    """The primary functions; the key names the function within the stack."""
    network: Network = Network()
    """Where tasks run."""
    retention: Retention = Retention()
    """How long things are kept."""
    image: Image = Image()
    """What the runner image is made from."""
    cluster: Cluster = Cluster()
    """The ECS cluster."""
    alarms: Alarms = Alarms()
    """What raises an alarm, and who is told."""
    dashboard: Dashboard = Dashboard()
    """The dashboard of the stack."""
    tags: Tags = {}
    """Tags on every resource that takes tags."""
