"""The Lambda runtimes that overtime supports: a family defines how they start, a runtime its base image and its end.

A new runtime of a known family needs an entry of `RUNTIMES`, a row of a test and a word in README's table of settings.
Its name is the `Runtime` of Lambda's API (CreateFunction). The families' facts are from the start scripts of AWS's base
images, from its runtime clients, and from "Building with ..." of each language in the AWS Lambda guide.
"""

from __future__ import annotations

from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Heap:
    """How a runtime is told the size of its heap: an option, and the variables in which a function sets its own."""

    __slots__ = ("option", "own", "variables")

    def __init__(self, option: str, *, own: tuple[str, ...], variables: tuple[str, ...]) -> None:
        self.option = option
        """The option; `{mib}` stands for the size in MiB."""
        self.own = own
        """Parts of options with which a function limits its heap itself."""
        self.variables = variables
        """The variables that may contain such options."""


class Family:
    """Runtimes that start in the same way."""

    __slots__ = ("base_repository", "bootstraps", "compiled", "heap", "modules", "name")

    def __init__(  # noqa: PLR0913 -- the facts of a family, by keyword
        self,
        name: str,
        *,
        base_repository: str,
        bootstraps: tuple[str, ...],
        modules: tuple[str, ...] = (),
        compiled: tuple[str, ...] = (),
        heap: Heap | None = None,
    ) -> None:
        self.name = name
        """Prefix of its runtimes' names."""
        self.base_repository = base_repository
        """The repository of AWS's base images, with one tag per version."""
        self.bootstraps = bootstraps
        """The programs that start the runtime: the first that exists. `{runtime}`, `{task}` and `{layer}` stand for
        the folders of the base image's runtime, of the function's code and of the layers."""
        self.modules = modules
        """Files in which a module may be: suffixes after the module's name, the usual one first."""
        self.compiled = compiled
        """Suffixes of compiled modules; a tag such as `.cpython-313` may stand before them."""
        self.heap = heap
        """How its heap is limited; None if the runtime itself reads the container's limit, or has none."""

    def includes(self, runtime: str) -> bool:
        """Return whether a runtime belongs to this family, even if it is not in `RUNTIMES`."""
        return runtime.startswith(self.name)


class Runtime:
    """One runtime."""

    __slots__ = ("family", "name", "starts_ahead", "tag")

    def __init__(self, family: Family, version: str, *, starts_ahead: bool = False) -> None:
        self.family = family
        self.name = f"{family.name}{version}"
        self.tag = version.removeprefix(".").removesuffix(".x")
        """The tag of AWS's base image for it."""
        self.starts_ahead = starts_ahead
        """Whether its interpreter can be started before the function's code and environment are known."""

    @property
    def base_image(self) -> str:
        """Return AWS's base image for it."""
        return f"{self.family.base_repository}:{self.tag}"


_REPOSITORIES = "public.ecr.aws/lambda"
_BOOTSTRAP = ("{runtime}/bootstrap",)

PYTHON = Family(
    "python",
    base_repository=f"{_REPOSITORIES}/python",
    bootstraps=_BOOTSTRAP,
    modules=(".py", "/__init__.py"),
    compiled=(".so", ".pyc"),
)
NODEJS = Family(
    "nodejs",
    base_repository=f"{_REPOSITORIES}/nodejs",
    bootstraps=_BOOTSTRAP,
    modules=(".js", ".mjs", ".cjs"),
    heap=Heap(
        "--max-old-space-size={mib}", own=("max-old-space-size", "max_old_space_size"), variables=("NODE_OPTIONS",)
    ),
)
JAVA = Family(
    "java",
    base_repository=f"{_REPOSITORIES}/java",
    bootstraps=_BOOTSTRAP,
    heap=Heap(
        "-Xmx{mib}m",
        own=("-Xmx", "MaxHeapSize", "MaxRAMPercentage", "MaxRAMFraction", "-XX:MaxRAM="),
        variables=("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"),
    ),
)
DOTNET = Family("dotnet", base_repository=f"{_REPOSITORIES}/dotnet", bootstraps=_BOOTSTRAP)
RUBY = Family("ruby", base_repository=f"{_REPOSITORIES}/ruby", bootstraps=_BOOTSTRAP, modules=(".rb",))
PROVIDED = Family(
    "provided",
    base_repository=f"{_REPOSITORIES}/provided",
    bootstraps=("{task}/bootstrap", "{layer}/bootstrap"),
)
FAMILIES = (PYTHON, NODEJS, JAVA, DOTNET, RUBY, PROVIDED)

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        each.name: each
        for each in (Runtime(PYTHON, version, starts_ahead=True) for version in ("3.11", "3.12", "3.13", "3.14"))
    }
)
"""All runtimes that a function may use, by name."""
DEFAULT = RUNTIMES["python3.13"]
"""The default runtime of functions, and the runtime of our own Lambda functions."""
