"""Every setting with its default. The types of single values are in `values`, `arn_types`, `environment` and `tags`.

A test compares the table in README with this module.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations at run time
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from overtime.contract.capacity import Capacity
from overtime.contract.limits import DAY_SECONDS
from overtime.contract.rescue import Rescue
from overtime.contract.runtimes import DEFAULT, RUNTIMES
from overtime.settings import arn_types, values
from overtime.settings.environment import Environment  # noqa: TC001 - likewise
from overtime.settings.rules import few
from overtime.settings.tags import Tags  # noqa: TC001 - likewise

__all__ = [
    "Alarms",
    "Cluster",
    "Dashboard",
    "Destinations",
    "FileSystem",
    "Function",
    "FunctionAlarms",
    "Image",
    "Network",
    "Permission",
    "Rescue",
    "Retention",
    "Settings",
    "Task",
    "Vpc",
]


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, and no value changes after it was read."""

    # `hide_input_in_errors`: pydantic's own error texts must not show the value of a variable, either.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Permission(Section):
    """One IAM statement of the function's role, for its handler on Lambda and on Fargate."""

    actions: Annotated[tuple[values.Action, ...], Field(min_length=1)]
    """IAM actions."""
    resources: Annotated[tuple[arn_types.ResourceArn, ...], Field(min_length=1)]
    """ARNs to which the actions apply."""


class Task(Section):
    """The Fargate task that continues a failed invocation."""

    cpu: values.Cpu = 1024
    """CPU units; 1024 are one vCPU."""
    memory_mib: values.TaskMemoryMib = 4096
    """A memory size that Fargate offers with this `cpu`."""
    ephemeral_gib: values.EphemeralGib = 21
    """Disk space for code, layers and `/tmp`."""
    stop_timeout_seconds: values.StopSeconds = 120
    """Time between SIGTERM and SIGKILL when the task is stopped."""
    capacity: values.TaskCapacity = Capacity.ON_DEMAND
    """With `spot`, a run's first task uses Spot if it has capacity; later ones are on demand."""


class Destinations(Section):
    """What is notified of a run's outcome, with the record that Lambda would have sent."""

    on_success: arn_types.OnSuccessArn | None = None
    """ARN of the queue, topic, event bus or function that is notified of runs that succeeded."""
    on_failure: arn_types.OnFailureArn | None = None
    """The same for runs that failed, timed out, were cancelled or skipped."""
    kms_key_arns: tuple[arn_types.KmsKeyArn, ...] = ()
    """ARNs of the KMS keys that encrypt these queues and topics; the watcher gets permission to use them."""

    @property
    def arns(self) -> list[str]:
        """The destinations that are set."""
        return [arn for arn in (self.on_success, self.on_failure) if arn]


class FunctionAlarms(Section):
    """Thresholds of the alarms that depend on the function."""

    longest_run: values.LongestRun = 12 * 3600
    """A run of a longer duration, such as `6h`, raises an alarm; in seconds once read. With null, there is no alarm."""
    longest_wait: values.LongestWait = 3600
    """A longer wait for a task, such as `2h`, raises an alarm; in seconds once read. With null, there is no alarm."""


class Vpc(Section):
    """The VPC to which a function is attached; without subnets, to none."""

    subnet_ids: values.SubnetIds = ()
    """Its subnets for the function and its tasks, with a route to the services that a task needs."""
    security_group_ids: values.SecurityGroupIds = ()
    """Security groups for the function and its tasks."""


class FileSystem(Section):
    """An EFS file system that a function and its tasks mount."""

    access_point_arn: arn_types.AccessPointArn
    """ARN of the access point through which they mount it."""
    path: values.MountPath
    """Where they mount it, below `/mnt`."""


class Function(Section):
    """A primary function, and how its runs continue on Fargate."""

    code: values.Code
    """Folder or `.zip` (for Java, also `.jar`), relative to the project."""
    enabled: values.Switch = True
    """`false` drains the function: its runs continue to their end, new failures are parked."""
    handler: values.Handler
    """The handler as its runtime expects it: `module.function` for Python, `package.Class::method` for Java."""
    runtime: values.Runtime = DEFAULT.name
    """Lambda's name of the language and version (`overtime.contract.runtimes`); it also selects the runner image."""
    architecture: values.Architecture = "x86_64"
    """For the function, its image and its task: if they differed, containers would fail with `exec format error`."""
    timeout_seconds: values.TimeoutSeconds = 900
    """Timeout of one attempt on Lambda."""
    memory_mib: values.MemoryMib = 512
    """Memory on Lambda."""
    ephemeral_storage_mib: values.EphemeralStorageMib = 512
    """Size of `/tmp` on Lambda; on Fargate, `/tmp` is part of the task's larger disk."""
    environment: Environment = {}
    """The function's variables. Every value is a secret: encrypted in Pulumi's state, and never shown."""
    kms_key_arn: arn_types.KmsKeyArn | None = None
    """ARN of the KMS key that encrypts the variables; with null, Lambda's own encrypts them."""
    layers: arn_types.Layers = ()
    """ARNs of layer versions, in Lambda's order."""
    vpc: Vpc = Vpc()
    """The VPC to which it is attached; its tasks run there, too, without a public address."""
    file_systems: Annotated[
        tuple[FileSystem, ...], few(1, "A function can mount 1 file system; this list has {}. Keep one of them.")
    ] = ()
    """The file system that it mounts, which needs `vpc`; its tasks mount it at the same path."""
    tracing: values.Tracing = "pass_through"
    """With `active`, X-Ray samples invocations on Lambda; no traces come from Fargate."""
    log_format: values.LogFormat = "text"
    """Format of Lambda's and the runner's own log lines, and of what the runtime's logger writes."""
    attempts: values.Attempts = 3
    """Attempts on Lambda before Fargate; with 0, Fargate at once."""
    max_event_age: values.EventAge = 21600
    """Age, such as `1h`, at which Lambda gives up on an event, even if attempts are left; in seconds once read."""
    rescue: values.Rescues = (Rescue.TIMEOUT, Rescue.OUT_OF_MEMORY)
    """Which failures are handed over; records of others go to the parking queue."""
    permissions: tuple[Permission, ...] = ()
    """What the handler may do, in addition to writing its log."""
    policy_arns: arn_types.PolicyArns = ()
    """Managed policies for the function's role."""
    max_runtime: values.MaxRuntime = 7 * DAY_SECONDS
    """Longest duration of a run on Fargate, such as `6h`; in seconds once read."""
    max_receive_count: values.Receives = 5
    """Deliveries to the dispatcher before a failure record is parked."""
    max_task_attempts: values.TaskAttempts = 3
    """How many tasks a run may use if AWS interrupts them; a handler's error is never retried."""
    max_concurrent_runs: values.ConcurrentRuns = 20
    """How many runs may have a task at the same time; others wait in the queue. With null, there is no limit."""
    task: Task = Task()
    """The Fargate task."""
    destinations: Destinations = Destinations()
    """What is notified of a run's outcome."""
    alarms: FunctionAlarms = FunctionAlarms()
    """Thresholds of the function's alarms."""

    @property
    def not_default(self) -> set[str]:
        """The names of settings that differ from their defaults."""
        return {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}

    @property
    def longest_run(self) -> int | None:
        """Seconds after which a run raises an alarm; `None` if it ends before, or if there is no alarm."""
        longest = self.alarms.longest_run
        return longest if longest is not None and longest < self.max_runtime else None


class Network(Section):
    """Where tasks run: in a new VPC, or in existing subnets."""

    cidr: values.Cidr = values.CIDR
    """CIDR block of the VPC that overtime creates."""
    availability_zones: values.Zones = 2
    """Number of zones in that VPC, each with one public subnet."""
    subnet_ids: values.SubnetIds = ()
    """Existing subnets to use instead; they need a route to ECR, S3, DynamoDB, Lambda and CloudWatch Logs."""
    security_group_ids: values.SecurityGroupIds = ()
    """Security groups for tasks in existing subnets."""
    assign_public_ip: values.Switch | None = None
    """Whether tasks get a public address; by default yes in the VPC that overtime creates, no in existing subnets."""

    @property
    def public_ip(self) -> bool:
        """Whether tasks get a public address, with the default applied."""
        return not self.subnet_ids if self.assign_public_ip is None else self.assign_public_ip


class Retention(Section):
    """How long logs and runs are kept."""

    logs_days: values.LogDays = 30
    """Retention of the log groups."""
    runs_days: values.RunsDays = 30
    """Retention of runs, their events and results; less than 28 counts as 28, because a late task may need them."""
    force_destroy: values.Switch = False
    """Whether `pulumi destroy` may delete stored runs, events and results, and queues with messages."""


class Image(Section):
    """What the runner images are built on."""

    base_images: Mapping[values.RuntimeName, values.ImageName] = {}
    """Base image per runtime, for example from a mirror; by default AWS's own for that version."""
    python_image: values.PythonImageName = DEFAULT.base_image
    """Image from which the runner takes its own Python along into every base image."""

    def base_of(self, runtime: str) -> str:
        """Return the base image for a runtime such as `python3.13`."""
        return self.base_images.get(runtime, RUNTIMES[runtime].base_image)


class Cluster(Section):
    """The ECS cluster."""

    container_insights: values.Switch = False
    """Whether CloudWatch collects metrics per task; it costs extra."""


class Alarms(Section):
    """CloudWatch alarms; each costs 10 cents a month."""

    enabled: values.Switch = True
    """Whether to create alarms."""
    action_arns: arn_types.AlarmActions = ()
    """What an alarm notifies; by default an SNS topic that the program creates."""
    ticket_arns: arn_types.AlarmActions = ()
    """The same for alarms that can wait until the morning; by default `action_arns`."""
    skipped: values.Switch = True
    """Whether failures that `rescue` does not name, such as an exception, raise an alarm."""
    manual_url: values.ManualUrl | None = None
    """URL of the team's copy of `docs/operating.md`; each alarm then links to its section."""


class Dashboard(Section):
    """The CloudWatch dashboard of the stack; an account's first three are free, others cost $3 a month."""

    enabled: values.Switch = True
    """Whether to create a dashboard."""


class Settings(Section):
    """The settings of a stack."""

    functions: Annotated[Mapping[str, Function], Field(min_length=1)]
    """The primary functions; the key names the function within the stack."""
    network: Network = Network()
    """Where tasks run."""
    retention: Retention = Retention()
    """How long logs and runs are kept."""
    image: Image = Image()
    """What the runner images are built on."""
    cluster: Cluster = Cluster()
    """The ECS cluster."""
    alarms: Alarms = Alarms()
    """Which alarms to create, and what they notify."""
    dashboard: Dashboard = Dashboard()
    """The dashboard of the stack."""
    tags: Tags = {}
    """Tags for every resource that supports tags."""
