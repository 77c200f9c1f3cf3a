"""What can be said about an emulator before it starts, and the environment that this becomes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT_ACCESS_KEY = "test"
"""With this key (and the same secret) a caller is the account's root user."""

FAULTS_VARIABLE = "OVERTIME_EMULATOR_FAULTS"
CALLS_VARIABLE = "OVERTIME_EMULATOR_CALLS"
PARENT_VARIABLE = "OVERTIME_EMULATOR_PARENT"
MINUTE_VARIABLE = "OVERTIME_EMULATOR_MINUTE"
DELAY_VARIABLE = "OVERTIME_EMULATOR_DELAY"
INTERPRETERS_VARIABLE = "OVERTIME_EMULATOR_INTERPRETERS"
MEMORY_VARIABLE = "OVERTIME_EMULATOR_MEMORY"


@dataclass(frozen=True, kw_only=True)
class EmulatorSettings:
    """How the emulator is to behave."""

    state_folder: Path
    """Made if missing; holds the log, the call record, the fault rules and the workers' files."""
    docker_host: str | None = None
    """Container engine for ECS tasks; without one, tasks cannot start."""
    reach_with: str = ""
    """Image in which to look for the way from containers to the emulator; empty if they share this network."""
    account_id: str = "123456789012"
    region: str = "eu-west-1"
    enforce_iam: bool = False
    """Refuse what the caller's policies do not allow, as AWS does."""
    retry_base_seconds: float = 60
    """Wait before the second attempt of an asynchronous invocation; the third waits twice as long. AWS: 60."""
    schedule_seconds_per_minute: float = 60
    """How long a minute of a rule's `rate(…)` lasts here. AWS: 60."""
    delay_seconds_per_minute: float = 60
    """How long a minute of a queue message's `DelaySeconds` lasts here. AWS: 60."""
    interpreters: Mapping[str, Path] = field(default_factory=dict)
    """Programs that run functions on Lambda, by runtime; any other runtime's is found on PATH."""
    record_calls: bool = False
    """Keep a line for each call: who did what to which resource."""
    outlive_parent: bool = False
    """Keep running when the process that started it is gone."""

    @property
    def log_file(self) -> Path:
        """What the emulator printed."""
        return self.state_folder / "emulator.log"

    @property
    def calls_file(self) -> Path:
        """One JSON object a line and call, when `record_calls` is set."""
        return self.state_folder / "calls.jsonl"

    @property
    def faults_file(self) -> Path:
        """Fault rules, read anew at each call; see `local.emulator.faults`."""
        return self.state_folder / "faults.json"

    @property
    def memory_file(self) -> Path:
        """All that a paused emulator knows."""
        return self.state_folder / "memory.pickle"

    @property
    def keep_file(self) -> Path:
        """Says, by being there, that the emulator ends only to be started again."""
        return self.memory_file.with_suffix(".keep")

    def environment(self, port: int, host: Mapping[str, str]) -> dict[str, str]:
        """Say the server's whole environment: nothing of `host` but what a program needs to run at all."""
        environment = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), host.get("PATH", os.defpath))),
            "LANG": "C.UTF-8",
            "HOME": str(self.state_folder),
            "TMPDIR": str(self.state_folder / "tmp"),
            "PYTHONUNBUFFERED": "1",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "MINISTACK_REGION": self.region,
            "MINISTACK_DOCKER_TIMEOUT": "120",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_ACCESS_KEY,
            "AUTH": "true" if self.enforce_iam else "false",
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": f"{self.retry_base_seconds:g}",
            # Listeners that nothing here uses.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": self.docker_host or "unix:///no-container-engine",
            FAULTS_VARIABLE: str(self.faults_file),
            INTERPRETERS_VARIABLE: json.dumps({runtime: str(path) for runtime, path in self.interpreters.items()}),
            MEMORY_VARIABLE: str(self.memory_file),
            MINUTE_VARIABLE: f"{self.schedule_seconds_per_minute:g}",
            DELAY_VARIABLE: f"{self.delay_seconds_per_minute:g}",
        }
        if self.record_calls:
            environment[CALLS_VARIABLE] = str(self.calls_file)
        if not self.outlive_parent:
            environment[PARENT_VARIABLE] = str(os.getpid())
        return environment
