"""The Lambda runtimes that overtime supports: a family defines how they start, a runtime its version and base image.

A new runtime of a known family needs an entry of `RUNTIMES`, a row of a test and a word in README's table of settings.
Its name is the `Runtime` of Lambda's API (CreateFunction).
"""

from __future__ import annotations

from types import MappingProxyType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Family:
    """Runtimes that start in the same way."""

    __slots__ = ("base_repository", "bootstrap", "compiled", "modules", "name")

    def __init__(
        self,
        name: str,
        *,
        base_repository: str,
        bootstrap: str,
        modules: tuple[str, ...],
        compiled: tuple[str, ...],
    ) -> None:
        self.name = name
        """Prefix of its runtimes' names."""
        self.base_repository = base_repository
        """The repository of AWS's base images, with one tag per version."""
        self.bootstrap = bootstrap
        """The script in the base image's `LAMBDA_RUNTIME_DIR` that starts the runtime."""
        self.modules = modules
        """Files in which a module may be: suffixes after the module's name, the usual one first."""
        self.compiled = compiled
        """Suffixes of compiled modules; a tag such as `.cpython-313` may stand before them."""

    def includes(self, runtime: str) -> bool:
        """Return whether a runtime belongs to this family, even if it is not in `RUNTIMES`."""
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
    modules=(".py", "/__init__.py"),
    compiled=(".so", ".pyc"),
)

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {each.name: each for each in (Runtime(PYTHON, version) for version in ("3.11", "3.12", "3.13", "3.14"))}
)
"""All runtimes that a function may use, by name."""
DEFAULT = RUNTIMES["python3.13"]
"""The default runtime of functions, and the runtime of our own Lambda functions."""
