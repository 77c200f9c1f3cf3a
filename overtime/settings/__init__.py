"""The settings of a stack, with types. All problems, unknown keys included, are reported at once, before any change.

`parse` reads them from a plain mapping. Nothing here imports Pulumi, so that command-line tools can use it.
`overtime.configuration` reads the mapping from the configuration of the stack that is being deployed.
"""

from overtime.settings.model import (
    Alarms,
    Cluster,
    Dashboard,
    Destinations,
    FileSystem,
    Function,
    FunctionAlarms,
    Image,
    Network,
    Permission,
    Rescue,
    Retention,
    Settings,
    Task,
    Vpc,
)
from overtime.settings.names import StackContext
from overtime.settings.problems import Problem, SettingsError
from overtime.settings.read import parse, verify

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
    "Problem",
    "Rescue",
    "Retention",
    "Settings",
    "SettingsError",
    "StackContext",
    "Task",
    "Vpc",
    "parse",
    "verify",
]
