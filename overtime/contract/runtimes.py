"""Lambda's runtimes, as far as overtime continues them: a family says how, a runtime which image and version.

Adding a runtime of a known family is one entry of `RUNTIMES`, a test's row and a word in README's table of settings.
Names: `Runtime` in Lambda's API (CreateFunction).
"""

from __future__ import annotations

from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Family:
    """Runtimes that are started in the same way."""

    __slots__ = ("base_repository", "bootstrap", "compiled", "name", "packages", "source")

    def __init__(  # noqa: PLR0913 -- a family is what differs from another
        self,
        name: str,
        *,
        base_repository: str,
        bootstrap: str,
        source: str,
        packages: tuple[str, ...],
        compiled: tuple[str, ...],
    ) -> None:
        self.name = name
        """How the names of its runtimes begin."""
        self.base_repository = base_repository
        """The repository of AWS's base images, which have a tag for each version."""
        self.bootstrap = bootstrap
        """The script in the base image's `LAMBDA_RUNTIME_DIR` that becomes the runtime."""
        self.source = source
        """How the name of a file with a handler's module ends."""
        self.packages = packages
        """What else may hold a module: endings after the module's name."""
        self.compiled = compiled
        """How the names of compiled modules end, whatever stands before."""

    def includes(self, runtime: str) -> bool:
        """Return whether a runtime is of this family, also one that is not in `RUNTIMES`."""
        return runtime.startswith(self.name)


class Runtime:
    """One runtime."""

    __slots__ = ("family", "name")

    def __init__(self, family: Family, version: str) -> None:
        self.family = family
        self.name = f"{family.name}{version}"

    @property
    def base_image(self) -> str:
        """Return AWS's base image for it."""
        return f"{self.family.base_repository}:{self.name.removeprefix(self.family.name)}"


PYTHON = Family(
    "python",
    base_repository="public.ecr.aws/lambda/python",
    bootstrap="bootstrap.py",
    source=".py",
    packages=("/__init__.py",),
    compiled=(".so", ".pyc"),
)

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {each.name: each for each in (Runtime(PYTHON, version) for version in ("3.11", "3.12", "3.13", "3.14"))}
)
"""Every runtime that a function may have, by name."""
DEFAULT = RUNTIMES["python3.13"]
"""What a function has unless its settings say otherwise, and what our own Lambda functions have."""
