"""The Lambda runtimes that overtime supports, each with its base image and AWS's plans for it.

A new runtime of a known family needs a row of the table. Its name is the `Runtime` of Lambda's API (CreateFunction). A
new family is defined in `overtime.contract.families`.
"""

from __future__ import annotations

from types import MappingProxyType

from overtime.contract.families import DOTNET, FAMILIES, JAVA, NODEJS, PROVIDED, PYTHON, RUBY, Family, Heap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CHECKED",
    "DEFAULT",
    "DOTNET",
    "FAMILIES",
    "JAVA",
    "NODEJS",
    "PROVIDED",
    "PYTHON",
    "RUBY",
    "RUNTIMES",
    "UNSUPPORTED",
    "Family",
    "Heap",
    "Runtime",
    "newest",
    "successor",
]


class Runtime:
    """One runtime of the table below. Dates are in ISO format."""

    __slots__ = ("deprecated", "family", "modules", "name", "no_new_functions", "starts_ahead", "successor", "tag")

    def __init__(  # noqa: PLR0913 -- a row of the table
        self,
        family: Family,
        version: str,
        deprecated: str = "",
        no_new_functions: str = "",
        *,
        successor: str = "",
        tag: str = "",
        modules: tuple[str, ...] = (),
        starts_ahead: bool = False,
    ) -> None:
        self.family = family
        self.name = f"{family.name}{version}"
        self.deprecated = deprecated
        """The day on which AWS's support and patches end; empty if AWS has announced none."""
        self.no_new_functions = no_new_functions
        """The day from which Lambda refuses to create functions with it; empty if AWS has announced none."""
        self.successor = successor
        """The runtime to use instead, if it is not the newest of its family."""
        self.tag = tag or version.removeprefix(".").removesuffix(".x")
        """The tag of AWS's base image for it."""
        self.modules = (*family.handler.modules, *modules)
        """Suffixes of a module's file: the family's, and those that only this runtime knows."""
        self.starts_ahead = starts_ahead
        """Whether its interpreter can be started before the function's code and environment are known."""

    @property
    def base_image(self) -> str:
        """Return AWS's base image for it."""
        return f"{self.family.base_repository}:{self.tag}"

    @property
    def creatable(self) -> bool:
        """Return whether Lambda created functions with it on the day `CHECKED`.

        Later days are only planned, and AWS has postponed many of them. Functions that exist keep running.
        """
        return not self.no_new_functions or self.no_new_functions > CHECKED


_TYPESCRIPT = (".ts", ".mts", ".cts")
CHECKED = "2026-10-20"
"""The day of the table's dates."""

# "Supported runtimes" and "Deprecated runtimes" in https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html,
# as cfn-lint 1.58 has them as data; those of Java on Amazon Linux 2023 from that page itself. AWS lists no days for
# previews. Tags are from https://gallery.ecr.aws/lambda. Within a family, the newest is last.
_TABLE = (
    Runtime(PYTHON, "3.6", "2022-07-18", "2022-07-18"),
    Runtime(PYTHON, "3.7", "2023-12-04", "2024-01-09"),
    Runtime(PYTHON, "3.8", "2024-10-14", "2027-02-01"),
    Runtime(PYTHON, "3.9", "2025-12-15", "2027-02-01"),
    Runtime(PYTHON, "3.10", "2026-10-31", "2027-02-01"),
    Runtime(PYTHON, "3.11", "2027-06-30", "2027-07-31", starts_ahead=True),
    Runtime(PYTHON, "3.12", "2028-10-31", "2028-11-30", starts_ahead=True),
    Runtime(PYTHON, "3.13", "2029-06-30", "2029-07-31", starts_ahead=True),
    Runtime(PYTHON, "3.14", "2029-06-30", "2029-07-31", starts_ahead=True),
    Runtime(PYTHON, "3.15", tag="3.15-preview", starts_ahead=True),
    Runtime(NODEJS, "12.x", "2023-03-31", "2023-03-31"),
    Runtime(NODEJS, "14.x", "2023-12-04", "2024-01-09"),
    Runtime(NODEJS, "16.x", "2024-06-12", "2027-02-01"),
    Runtime(NODEJS, "18.x", "2025-09-01", "2027-02-01"),
    Runtime(NODEJS, "20.x", "2026-04-30", "2027-02-01"),
    Runtime(NODEJS, "22.x", "2027-04-30", "2027-06-01"),
    Runtime(NODEJS, "24.x", "2028-04-30", "2028-06-01", modules=_TYPESCRIPT),
    Runtime(NODEJS, "26.x", tag="26-preview", modules=_TYPESCRIPT),
    Runtime(JAVA, "8", "2024-01-08", "2024-02-08", successor="java8.al2023"),
    Runtime(JAVA, "8.al2", "2027-06-30", "2027-07-31", successor="java8.al2023"),
    Runtime(JAVA, "8.al2023", "2029-06-30"),
    Runtime(JAVA, "11", "2027-06-30", "2027-07-31", successor="java11.al2023"),
    Runtime(JAVA, "11.al2023", "2029-06-30"),
    Runtime(JAVA, "17", "2027-06-30", "2027-07-31", successor="java17.al2023"),
    Runtime(JAVA, "17.al2023", "2029-06-30"),
    Runtime(JAVA, "21", "2029-06-30", "2029-07-31"),
    Runtime(JAVA, "25", "2029-06-30", "2029-07-31"),
    Runtime(DOTNET, "core3.1", "2023-04-03", "2023-04-03"),
    Runtime(DOTNET, "6", "2024-12-20", "2027-02-01"),
    Runtime(DOTNET, "8", "2026-11-10", "2027-02-01"),
    Runtime(DOTNET, "10", "2028-11-14", "2028-12-14"),
    Runtime(RUBY, "2.7", "2023-12-07", "2024-01-09"),
    Runtime(RUBY, "3.2", "2026-03-31", "2027-02-01"),
    Runtime(RUBY, "3.3", "2027-03-31", "2027-04-30"),
    Runtime(RUBY, "3.4", "2028-03-31", "2028-04-30"),
    Runtime(RUBY, "4.0", "2029-03-31", "2029-04-30"),
    Runtime(PROVIDED, "", "2024-01-08", "2024-02-08", tag="alami"),
    Runtime(PROVIDED, ".al2", "2026-07-31", "2027-02-01"),
    Runtime(PROVIDED, ".al2023", "2029-06-30", "2029-07-31"),
)
RUNTIMES: Mapping[str, Runtime] = MappingProxyType({each.name: each for each in _TABLE})
"""All runtimes that the runner supports, by name."""
DEFAULT = RUNTIMES["python3.13"]
"""The default runtime of functions, and the runtime of our own Lambda functions."""
UNSUPPORTED: Mapping[str, Family] = MappingProxyType(
    dict.fromkeys(("python2.7",), PYTHON)
    | dict.fromkeys(("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x"), NODEJS)
    | dict.fromkeys(("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1"), DOTNET)
    | dict.fromkeys(("ruby2.5",), RUBY)
    | dict.fromkeys(("go1.x", "custom"), PROVIDED)
)
"""Lambda's other runtimes, each with the family to use instead. Lambda has not updated functions with them for years,
except `go1.x`, whose base image starts no `bootstrap`; `custom` stands for a runtime that is a resource of its own."""


def successor(runtime: Runtime) -> Runtime:
    """Return the runtime to use instead of one whose support ends."""
    return RUNTIMES[runtime.successor] if runtime.successor else newest(runtime.family)


def newest(family: Family) -> Runtime:
    """Return a family's newest runtime that is no preview."""
    return [each for each in _TABLE if each.family is family and each.deprecated][-1]
