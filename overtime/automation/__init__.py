"""Deploys stacks from Python code: preview, up, refresh, destroy, and outputs.

    from overtime.automation import Deployment

    deployment = Deployment(
        {"functions": {"report": {"code": "lambdas/primary", "handler": "handler.handler"}}},
        stack="dev",
        region="eu-west-1",
    )
    result = deployment.up(print)
    print(result.changes, result.outputs["functions"])

It deploys the same program as the `pulumi` command line, and needs no files except the functions' code. The errors that
it raises itself are subclasses of `OvertimeError`.
"""

from overtime.automation.deployment import Deployment
from overtime.automation.engine import Engine
from overtime.automation.errors import (
    ConcurrentUpdateError,
    DeploymentError,
    EngineUnusableError,
    ProtectedError,
    StackNotFoundError,
)
from overtime.automation.events import WITHHELD, Diagnostic, Event, OnEvent, ResourceStep
from overtime.automation.progress import Progress
from overtime.automation.results import Outputs, Result
from overtime.errors import OvertimeError
from overtime.settings import Settings, SettingsError

__all__ = [
    "WITHHELD",
    "ConcurrentUpdateError",
    "Deployment",
    "DeploymentError",
    "Diagnostic",
    "Engine",
    "EngineUnusableError",
    "Event",
    "OnEvent",
    "Outputs",
    "OvertimeError",
    "Progress",
    "ProtectedError",
    "ResourceStep",
    "Result",
    "Settings",
    "SettingsError",
    "StackNotFoundError",
]
