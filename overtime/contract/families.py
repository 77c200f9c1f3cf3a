"""The families of Lambda's runtimes: how they start, and what a function's code must hold for its handler to be found.

The facts are from the start scripts of AWS's base images, from the sources of its runtime clients, and from "Building
with ..." of each language in the AWS Lambda guide.
"""

from __future__ import annotations


class Heap:
    """How a runtime is told the size of its heap: an option, and the variables in which a function sets its own."""

    __slots__ = ("errors", "on_command_line", "option", "own", "percent", "switches", "variables")

    def __init__(  # noqa: PLR0913 -- facts, by keyword
        self,
        option: str,
        *,
        percent: int,
        own: tuple[str, ...],
        variables: tuple[str, ...],
        switches: tuple[str, ...] = (),
        on_command_line: bool = False,
        errors: tuple[str, ...] = (),
    ) -> None:
        self.percent = percent
        """What the heap may use of the memory; the rest is for the process's other memory."""
        self.option = option
        """The option in the first of `variables`; `{mib}` and `{bytes}` stand for the size."""
        self.own = own
        """Parts of options with which a function limits its heap itself; an empty one is part of every value."""
        self.variables = variables
        """The variables that may contain such options."""
        self.switches = switches
        """Variables that must be `true`, or else the runtime's client sets another limit."""
        self.on_command_line = on_command_line
        """Whether AWS's start scripts limit the heap on the command line, which takes precedence over the variables."""
        self.errors = errors
        """How Lambda reports that the heap was full: the type of an error, or its whole message."""


class Handler:
    """How a family's handlers are written, and in which file of the code one is.

    The file's name is the handler's module and one of `modules`.
    """

    __slots__ = ("beside", "compiled", "dotted", "example", "form", "libraries", "modules", "noun", "pattern")

    def __init__(  # noqa: PLR0913 -- facts, by keyword
        self,
        pattern: str,
        form: str,
        *,
        example: str,
        noun: str = "module",
        dotted: bool = False,
        modules: tuple[str, ...] = (),
        compiled: tuple[str, ...] = (),
        libraries: str = "",
        beside: tuple[str, ...] = (),
    ) -> None:
        self.pattern = pattern
        """A regular expression for the whole handler. Its group `module` is empty if no file follows from it."""
        self.form = form
        """The same for people: what "A handler has the form" continues with."""
        self.example = example
        """A handler of this form."""
        self.noun = noun
        """What the module is called in this language."""
        self.dotted = dotted
        """Whether a dot in the module's name stands for a folder."""
        self.modules = modules
        """Suffixes of a module's file, the usual one first."""
        self.compiled = compiled
        """Suffixes of compiled modules; a tag such as `.cpython-313` may stand before them."""
        self.libraries = libraries
        """The folder whose .jar files may contain the module, too."""
        self.beside = beside
        """Suffixes of files that must be at the top of the code, too, if the handler names a method."""


class Family:
    """Runtimes that start in the same way."""

    __slots__ = ("archives", "base_repository", "bootstraps", "handler", "heap", "name")

    def __init__(  # noqa: PLR0913 -- the facts of a family, by keyword
        self,
        name: str,
        *,
        base_repository: str,
        bootstraps: tuple[str, ...],
        handler: Handler,
        archives: tuple[str, ...] = (".zip",),
        heap: Heap | None = None,
    ) -> None:
        self.name = name
        """Prefix of its runtimes' names."""
        self.base_repository = base_repository
        """The repository of AWS's base images, with one tag per version."""
        self.bootstraps = bootstraps
        """The programs that start the runtime: the first that exists. `{runtime}`, `{task}` and `{layer}` stand for
        the folders of the base image's runtime, of the function's code and of the layers."""
        self.handler = handler
        """What its handlers look like."""
        self.archives = archives
        """Suffixes of files that contain a function's code."""
        self.heap = heap
        """How its heap is limited; None if the runtime has no limit."""

    @property
    def own_bootstrap(self) -> str:
        """Return the name of the program that the code itself must contain, unless a layer does; empty if none."""
        return next((each.removeprefix("{task}/") for each in self.bootstraps if each.startswith("{task}/")), "")

    def includes(self, runtime: str) -> bool:
        """Return whether a runtime belongs to this family, even if it is not in `RUNTIMES`."""
        return runtime.startswith(self.name)


_REPOSITORIES = "public.ecr.aws/lambda"
_BOOTSTRAP = ("{runtime}/bootstrap",)
_NO_LIMIT_BY_CLIENT = "AWS_LAMBDA_DOTNET_DISABLE_MEMORY_LIMIT_CHECK"

PYTHON = Family(
    "python",
    base_repository=f"{_REPOSITORIES}/python",
    bootstraps=_BOOTSTRAP,
    handler=Handler(
        r"(?P<module>[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*)\.[A-Za-z_][A-Za-z0-9_]*",
        "module.function, such as handler.handler, pkg.mod.main or pkg/mod.main",
        example="handler.handler",
        dotted=True,
        modules=(".py", "/__init__.py"),
        compiled=(".so", ".pyc"),
    ),
)
NODEJS = Family(
    "nodejs",
    base_repository=f"{_REPOSITORIES}/nodejs",
    bootstraps=_BOOTSTRAP,
    # The module's name ends at the first dot after the last slash. It may be a file without a suffix.
    handler=Handler(
        r"(?!.*\.\.)(?P<module>(?:\S*/)?[^\s./]+)\.[^\s/]+",
        "file.export, such as index.handler, dist/app.handler or index.handlers.report",
        example="index.handler",
        modules=(".js", ".mjs", ".cjs", ""),
    ),
    heap=Heap(
        "--max-old-space-size={mib}",
        percent=90,  # as in AWS's start scripts
        own=("max-old-space-size", "max_old_space_size"),
        variables=("NODE_OPTIONS",),
        on_command_line=True,
        errors=("Runtime exited with error: signal: aborted",),  # V8 aborts the process
    ),
)
JAVA = Family(
    "java",
    base_repository=f"{_REPOSITORIES}/java",
    bootstraps=_BOOTSTRAP,
    handler=Handler(
        r"(?!.*\.(?:class|jar|java)$)(?P<module>[\w$]+(?:\.[\w$]+)*)(?:::\w+)?",
        "package.Class or package.Class::method, such as example.Report or example.Report::handle",
        example="example.Report::handle",
        noun="class",
        dotted=True,
        modules=(".class",),
        libraries="lib/",
    ),
    archives=(".zip", ".jar"),
    # AWS's start scripts insist on an archive of shared classes (-Xshare:on), which fits no heap above 32 GiB.
    heap=Heap(
        "-Xmx{mib}m -Xshare:auto",
        percent=85,  # as in AWS's start scripts: classes, compiled code and stacks need more than in other runtimes
        own=("-Xmx", "MaxHeapSize", "MaxRAMPercentage", "MaxRAMFraction", "-XX:MaxRAM="),
        variables=("_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"),
        errors=("java.lang.OutOfMemoryError", "Java heap space", "GC overhead limit exceeded"),
    ),
)
DOTNET = Family(
    "dotnet",
    base_repository=f"{_REPOSITORIES}/dotnet",
    bootstraps=_BOOTSTRAP,
    # An assembly alone is a program: with or without its suffix, or a native executable.
    handler=Handler(
        r"(?P<module>[^\s:/]+?)(?:\.dll|::[^\s:]+::[^\s:]+)?",
        "Assembly::Namespace.Type::Method, such as Reports::Reports.Report::Handle, or Assembly for a program",
        example="Reports::Reports.Report::Handle",
        noun="assembly",
        modules=(".dll", ""),
        beside=(".deps.json", ".runtimeconfig.json"),
    ),
    # From .NET 8, AWS's client limits the heap by AWS_LAMBDA_FUNCTION_MEMORY_SIZE (AdjustMemorySettings in
    # LambdaBootstrap.cs of https://github.com/aws/aws-lambda-dotnet). Without a limit, .NET would take the host's
    # memory for its own, because ECS limits the task and not the container.
    heap=Heap(
        "{bytes:X}",
        percent=85,
        own=("",),
        variables=(
            "DOTNET_GCHeapHardLimit",
            "DOTNET_GCHeapHardLimitPercent",
            "COMPlus_GCHeapHardLimit",
            "COMPlus_GCHeapHardLimitPercent",
            _NO_LIMIT_BY_CLIENT,
        ),
        switches=(_NO_LIMIT_BY_CLIENT,),
        errors=("OutOfMemoryException", "Exception of type 'System.OutOfMemoryException' was thrown."),
    ),
)
RUBY = Family(
    "ruby",
    base_repository=f"{_REPOSITORIES}/ruby",
    bootstraps=_BOOTSTRAP,
    handler=Handler(
        r"(?P<module>[^\s.]+)(?:\.[^\s.]+){1,2}",
        "file.method or file.Class.method, such as report.handle or lib/report.Reports::Report.handle",
        example="report.handle",
        noun="file",
        modules=(".rb",),
    ),
)
PROVIDED = Family(
    "provided",
    base_repository=f"{_REPOSITORIES}/provided",
    bootstraps=("{task}/bootstrap", "{layer}/bootstrap"),
    # The function's own program reads it as it likes.
    handler=Handler(r"(?P<module>)\S+", "of your choice, such as bootstrap", example="bootstrap"),
)
FAMILIES = (PYTHON, NODEJS, JAVA, DOTNET, RUBY, PROVIDED)
