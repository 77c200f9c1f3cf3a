"""What else the image needs, which the base image may have in part: the handler's user and the folders of Lambda."""

from __future__ import annotations

from overtime.runner.image.portable_python import PLACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

USER = "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin"
"""The user of Lambda's own sandbox, as its /etc/passwd has it."""


def lay_out(target: Path, base_etc: Path) -> Path:
    """Make the folders that the last stage copies, and return the runner's place among them, which does not exist yet.

    Of each of them, the last stage gives away all that is in it, so every owner and parent folder has its own.
    """
    root = target / "root"
    for folder in (root / "etc", root / "tmp", target / "owned" / "opt", target / "owned-in-var" / "task"):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    passwd = base_etc / "passwd"
    (root / "etc" / "passwd").write_text(with_user(passwd.read_text() if passwd.exists() else ""))
    return root / PLACE.lstrip("/")


def with_user(passwd: str) -> str:
    """Return the text of /etc/passwd with the handler's user, if no user has its number."""
    if any(line.split(":")[2:3] == [USER.split(":")[2]] for line in passwd.splitlines()):
        return passwd
    return "".join(f"{line}\n" for line in (*passwd.splitlines(), USER))
