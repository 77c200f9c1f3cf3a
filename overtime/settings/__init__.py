"""What a stack is made of: typed, closed settings; every mistake is reported at once, before any resource is touched.

`load` reads them from a stack's configuration (keys below the project's name), `parse` from a plain mapping.
"""

from overtime.settings.model import (
    Alarms,
    Cluster,
    Dashboard,
    Destinations,
    Function,
    FunctionAlarms,
    Image,
    Network,
    Permission,
    Rescue,
    Retention,
    Settings,
    Task,
)
from overtime.settings.names import StackContext
from overtime.settings.problems import Problem, SettingsError
from overtime.settings.read import load, parse, verify

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
    "Problem",
    "Rescue",
    "Retention",
    "Settings",
    "SettingsError",
    "StackContext",
    "Task",
    "load",
    "parse",
    "verify",
]
