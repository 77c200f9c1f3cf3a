"""What a build sees, and the hash by which a change is noticed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from local.provider.docker_build.context import context_files, context_hash
from local.provider.docker_build.dockerignore import IgnoreRules

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    for name in ("Dockerfile", "runner/a.py", "runner/b.py", "runner/deep/c.py", "notes/readme.md"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (folder / ".dockerignore").write_text("*\n!runner/*.py\n")
    return folder


def hash_of(context: Path) -> str:
    return context_hash(context, context / "Dockerfile")


def test_only_what_the_build_sees_is_in_the_context(context: Path) -> None:
    assert context_files(context, context / "Dockerfile") == ["runner/a.py", "runner/b.py"]


def test_without_a_dockerignore_all_is_in_the_context(context: Path) -> None:
    (context / ".dockerignore").unlink()
    assert context_files(context, context / "Dockerfile") == [
        "Dockerfile",
        "notes/readme.md",
        "runner/a.py",
        "runner/b.py",
        "runner/deep/c.py",
    ]


@pytest.mark.parametrize("name", ["notes/readme.md", "runner/deep/c.py", "notes/new.md", ".git"])
def test_a_file_that_is_left_out_changes_nothing(context: Path, name: str) -> None:
    before = hash_of(context)
    (context / name).write_text("changed")
    assert before == hash_of(context)


@pytest.mark.parametrize("name", ["Dockerfile", "runner/a.py", "runner/new.py"])
def test_a_file_that_the_build_sees_changes_the_hash(context: Path, name: str) -> None:
    """The Dockerfile too, though .dockerignore leaves it out."""
    before = hash_of(context)
    (context / name).write_text("changed")
    assert before != hash_of(context)


def test_a_files_mode_and_a_links_target_change_the_hash(context: Path) -> None:
    link = context / "runner" / "link.py"
    link.symlink_to("a.py")
    first = hash_of(context)
    link.unlink()
    link.symlink_to("b.py")
    second = hash_of(context)
    (context / "runner" / "a.py").chmod(0o755)
    assert len({first, second, hash_of(context)}) == 3


def test_content_that_moves_between_files_changes_the_hash(context: Path) -> None:
    """Names and lengths are told apart from content."""
    before = hash_of(context)
    first, second = context / "runner/a.py", context / "runner/b.py"
    whole = first.read_text() + second.read_text()
    first.write_text(whole[:3])
    second.write_text(whole[3:])
    assert before != hash_of(context)


def test_the_order_in_which_files_were_made_does_not_matter(context: Path, tmp_path: Path) -> None:
    """Another computer's folder lists its files in another order."""
    other = tmp_path / "other"
    for file in sorted((file for file in context.rglob("*") if file.is_file()), reverse=True):
        target = other / file.relative_to(context)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    assert hash_of(context) == hash_of(other)


def test_the_rules_beside_the_dockerfile_come_before_the_contexts(context: Path) -> None:
    """As in BuildKit; a context that is an installed package has no rules of its own."""
    (context / "Dockerfile.dockerignore").write_text("*\n!notes\n")
    assert context_files(context, context / "Dockerfile") == ["notes/readme.md"]


@pytest.mark.parametrize(
    ("rules", "path", "excluded"),
    [
        ("*.md", "readme.md", True),
        ("*.md", "docs/readme.md", False),
        ("**/*.md", "docs/deep/readme.md", True),
        ("**/*.md", "readme.md", True),
        ("docs", "docs/deep/readme.md", True),
        ("/docs/", "docs/readme.md", True),
        ("docs/**", "docs/readme.md", True),
        ("docs/**", "docs", False),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("file?", "file1", True),
        ("file?", "file", False),
        ("file[0-3]", "file2", True),
        ("file[^0-3]", "file2", False),
        ("# docs", "# docs", False),
        ("*\n!keep.md", "keep.md", False),
        ("*\n!docs\ndocs/private", "docs/open", False),
        ("*\n!docs\ndocs/private", "docs/private/key", True),
        ("!keep.md\n*", "keep.md", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("a.b", "aXb", False),
        ("./x/../docs", "docs", True),
        ("", "anything", False),
        (".", "anything", False),
    ],
)
def test_rules_are_read_as_docker_reads_them(rules: str, path: str, excluded: bool) -> None:  # noqa: FBT001 - a table
    """The last line that matches the path, or a folder above it, decides."""
    assert excluded == IgnoreRules.parse(rules).excludes(path)


@pytest.mark.parametrize(
    ("rules", "folder", "hidden"),
    [
        ("*\n!runner/*.py", ".venv", True),
        ("*\n!runner/*.py", "runner", False),
        ("*\n!runner/*.py", "runner/deep", True),
        ("*\n!**/*.py", ".venv", False),
        ("docs", "docs", True),
        ("*.md", "docs", False),
    ],
)
def test_a_folder_is_looked_into_only_if_something_in_it_may_be_kept(rules: str, folder: str, hidden: bool) -> None:  # noqa: FBT001 - a table
    assert hidden == IgnoreRules.parse(rules).hides(folder)
