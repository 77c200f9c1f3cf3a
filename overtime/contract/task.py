"""What the task definition and RunTask's override must agree on."""

from __future__ import annotations

CONTAINER_NAME = "runner"
"""The task's only container."""
