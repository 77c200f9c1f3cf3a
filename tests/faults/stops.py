"""Every way in which ECS documents that a task stops, and what must become of its run.

The categories and most messages are those of "Amazon ECS stopped tasks error messages" and the pages that it links to
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html); the others are what
registries, IAM and container runtimes answer to ECS, as people have reported them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from overtime.lambdas.watcher.stopped_task import NEVER_CLAIMED, RUN_ENDED


class Before(StrEnum):
    """What becomes of a run whose tasks all stop so, before any of them has claimed it."""

    WAITS = "waits"
    """It is launched again and again, and no attempt counts."""
    PARKED = "parked"
    """After five of them a person has to look at it."""
    CANCELLED = "cancelled"


class After(StrEnum):
    """What becomes of a run whose task stops so after it has claimed it, and has not closed it."""

    RELAUNCHED = "relaunched"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class StopReason:
    """How a task stops, and what must come of it."""

    code: str
    reason: str
    before: Before
    after: After
    exit_code: int | None = None
    container_reason: str = ""

    @property
    def name(self) -> str:
        """For people who look for a failed one."""
        said = self.container_reason or self.reason
        return f"{self.code} {said}" + ("" if self.exit_code is None else f" ({self.exit_code})")


WAITS, PARKED, RELAUNCHED, FAILED = Before.WAITS, Before.PARKED, After.RELAUNCHED, After.FAILED
_START, _EXIT = "TaskFailedToStart", "EssentialContainerExited"
_INIT, _PULL = "ResourceInitializationError: ", "CannotPullContainerError: "
_AUTH = f"{_INIT}unable to pull secrets or registry auth: "
_CONNECTION = "There is a connection issue between the task and {}. Check your task network configuration."
_IMAGE = "1.dkr.ecr.eu-west-1.amazonaws.com/runner@sha256:0"
_DENIED = (
    "AccessDeniedException: User: arn:aws:sts::1:assumed-role/e/t is not authorized to perform: {} on resource: * "
    "because no identity-based policy allows the action"
)


def _starts(before: Before, *reasons: str) -> tuple[StopReason, ...]:
    return tuple(StopReason(_START, reason, before, RELAUNCHED) for reason in reasons)


def _exits(code: int | None, container_reason: str, before: Before, after: After) -> StopReason:
    return StopReason(_EXIT, "Essential container in task exited", before, after, code, container_reason)


MAY_PASS = _starts(
    WAITS,
    # TaskFailedToStart
    "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet "
    "'subnet-1': InsufficientFreeAddressesInSubnet",
    "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': AuthFailure",
    "Timeout waiting for network interface provisioning to complete.",
    "Timeout waiting for EphemeralStorage provisioning to complete.",
    "Network interface provision complete error timeout wait for network interface provision",
    "InternalError: the network interface was not attached in time",
    "Unable to attach network interface to unused device index",
    "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    "You've reached the limit on the number of vCPUs you can run concurrently",
    "RESOURCE:MEMORY",
    "AGENT",
    "",
    # ResourceInitializationError
    f"{_AUTH}The task cannot pull registry auth from Amazon ECR: {_CONNECTION.format('Amazon ECR')} RequestError: send "
    'request failed caused by: Post "https://api.ecr.eu-west-1.amazonaws.com/": dial tcp 10.0.0.1:443: i/o timeout',
    f"{_AUTH}pull command failed: : signal: killed",
    f"{_AUTH}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 5 "
    "time(s): failed to fetch secret: RequestCanceled: request context canceled",
    f"{_INIT}failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task "
    f"definition. {_CONNECTION.format('Amazon CloudWatch')} : signal: killed",
    f"{_INIT}failed to initialize logging driver: create stream has been retried 1 times: ThrottlingException",
    f"{_INIT}failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: reset by peer'",
    f"{_INIT}failed to download env files: file download command: non empty error stream",
    # CannotPullContainerError
    f"{_PULL}The task cannot pull '{_IMAGE}' from Amazon ECR. {_CONNECTION.format('Amazon ECR')}",
    f"{_PULL}pull image manifest has been retried 5 time(s): failed to resolve ref {_IMAGE}: i/o timeout",
    f"{_PULL}API error (500): Get https://1.dkr.ecr/v2/: net/http: request canceled while waiting for connection",
    f"{_PULL}ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: unexpected status "
    "code https://s3: 503 Service Unavailable",
    f"{_PULL}ERROR: toomanyrequests: Too Many Requests.",
    f"{_PULL}You have reached your pull rate limit.",
    f"{_PULL}write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
    f"{_PULL}pull command failed: panic: runtime error: invalid memory address or nil pointer dereference",
    f"{_PULL}error pulling image configuration: EOF",
    f"{_PULL}context canceled",
    # the others
    "CannotCreateVolumeError: the volume could not be made",
    "ContainerRuntimeError: failed to create container task: runc did not terminate successfully",
    "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m",
    "CannotStartContainerError: failed to get container status: the runtime is not there yet",
    "CannotInspectContainerError: could not transition to inspecting",
)
LASTS = _starts(
    PARKED,
    "ECS was unable to assume the role 'arn:aws:iam::1:role/e' that was provided for this task. Please verify that the "
    "role being passed has the proper trust relationship and permissions",
    "The selected task definition is not compatible with the selected compute strategy",
    "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InvalidSubnetID.NotFound",
    "Unexpected EC2 error while attempting to Create Network Interface: InvalidGroup.NotFound",
    f"{_AUTH}{_DENIED.format('ecr:GetAuthorizationToken')}",
    f"{_AUTH}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
    f"{_INIT}failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log "
    "stream: ResourceNotFoundException: The specified log group does not exist.",
    f"{_INIT}failed to validate logger args: {_DENIED.format('logs:CreateLogStream')}",
    f"{_PULL}The task can't pull the image. Check that the role has the permissions to pull images from the registry.",
    f"{_PULL}{_DENIED.format('ecr:BatchGetImage')}",
    f"{_PULL}pull access denied for {_IMAGE}, repository does not exist or may require 'docker login'",
    f"{_PULL}API error (404): repository {_IMAGE} not found",
    f"{_PULL}pull image manifest has been retried 5 time(s): failed to resolve ref {_IMAGE}: not found",
    f"{_PULL}failed to copy: httpReaderSeeker: failed open: unexpected status code https://s3: 403 Forbidden",
    f"{_PULL}image Manifest does not contain descriptor matching platform 'linux/arm64'",
    f"CannotPullImageManifestError: {_DENIED.format('ecr:BatchGetImage')}",
    "ResourceNotFoundException: Fetching secret data from AWS Secrets Manager: can't find the specified secret",
    'CannotStartContainerError: exec: "/runner": stat /runner: no such file or directory',
)
OF_AWS = (
    StopReason("SpotInterruption", "Your Spot Task was interrupted.", WAITS, RELAUNCHED, 143),
    StopReason("SpotInterruption", "Your Spot Task was interrupted.", WAITS, RELAUNCHED),
    StopReason(
        "TerminationNotice", "ECS is performing maintenance on the underlying infrastructure", WAITS, RELAUNCHED
    ),
    StopReason("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment d)", WAITS, RELAUNCHED, 143),
    StopReason("InfrastructureHealth", "", WAITS, RELAUNCHED),
    StopReason("InfrastructureHealth", "the instance is impaired", WAITS, RELAUNCHED, 137),
    StopReason("ACodeOfNextYear", "for reasons of its own", WAITS, RELAUNCHED, 1),
)
EXITED = (
    _exits(None, "", WAITS, RELAUNCHED),
    _exits(None, "CannotStartContainerError: failed to get container status", WAITS, RELAUNCHED),
    _exits(None, "CannotStopContainerError: failed sending SIGTERM to container", WAITS, RELAUNCHED),
    _exits(None, "ContainerRuntimeError: exec format error", PARKED, RELAUNCHED),
    _exits(137, "OutOfMemoryError: container killed due to memory usage", PARKED, FAILED),
    _exits(None, "OutOfMemoryError: container killed due to memory usage", PARKED, FAILED),
    _exits(137, "", PARKED, FAILED),
    _exits(0, "", PARKED, FAILED),
    _exits(1, "", PARKED, FAILED),
    _exits(2, "", PARKED, FAILED),
    _exits(64, "", PARKED, FAILED),
    _exits(65, "", PARKED, FAILED),
    _exits(66, "", PARKED, FAILED),
    _exits(67, "", WAITS, RELAUNCHED),
    _exits(70, "", PARKED, FAILED),
)
BY_REQUEST = (
    StopReason("UserInitiated", "Task stopped by user", Before.CANCELLED, After.CANCELLED, 143),
    StopReason("UserInitiated", "CannotPullContainerError, says who stopped it", Before.CANCELLED, After.CANCELLED),
    StopReason("UserInitiated", NEVER_CLAIMED, PARKED, RELAUNCHED, 137),
    StopReason("UserInitiated", RUN_ENDED, WAITS, FAILED, 137),
)
STOPS = MAY_PASS + LASTS + OF_AWS + EXITED + BY_REQUEST
