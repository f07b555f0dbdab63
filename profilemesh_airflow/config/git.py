"""A file as a git commit has it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

#: git answers from the disk; one that asks for a password, say, is not waited for.
_TIMEOUT = 60


def commit_of(ref: str, directory: Path) -> str:
    """The full name of the commit that ``ref`` means in the repository around a directory.

    :raises ConfigError: git is not installed, there is no repository, or it has no such commit.
    """
    if ref.startswith("-"):
        raise ConfigError(f"{ref!r} is no commit: a name cannot begin with a dash")
    found = _git(directory, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    why = _told(found) or "this repository has no such commit or branch; in a shallow clone, fetch it first"
    raise ConfigError(f"{ref!r} is neither a file nor a commit: {why}")


def file_at(commit: str, file: Path) -> bytes | None:
    """The content of a file as a commit has it, or none where the commit does not have it.

    :raises ConfigError: git cannot be asked.
    """
    at = f"{commit}:./{file.name}"
    if _git(file.parent, "cat-file", "-e", at).returncode:
        return None
    shown = _git(file.parent, "show", at)
    if shown.returncode:
        raise ConfigError(f"{file} cannot be read as commit {commit[:12]} has it: {_told(shown)}")
    return shown.stdout


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(directory), *arguments]
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT, check=False)
    except FileNotFoundError:
        raise ConfigError("git is not installed here; compare with a file instead") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(f"git gave no answer in {_TIMEOUT} seconds; compare with a file instead") from None


def _told(ended: subprocess.CompletedProcess[bytes]) -> str:
    return " ".join(ended.stderr.decode(errors="replace").split())
