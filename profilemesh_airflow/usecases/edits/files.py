"""The files of a configuration: its own, the manifests of dbt that it names, and the links on the way to them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from profilemesh_airflow.config import load_config
from profilemesh_airflow.config.loader import check_whole, read_config
from profilemesh_airflow.config.selection import manifest_of
from profilemesh_airflow.core.watching import Look, digest_of, joint_digest
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from profilemesh_airflow.config import LoadedConfig

#: A chain of links is followed so far.
_MOST_LINKS = 40


class ConfigFiles:
    """What a configuration is made of, as it is now.

    :param path: the configuration's own file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._manifests: tuple[Path, ...] = ()

    @property
    def entries(self) -> frozenset[Path]:
        """The files, and every link on the way to one of them: what an edit writes, or puts in another's place."""
        return frozenset(entry for file in (self.path, *self._manifests) for entry in links_to(file))

    def look(self) -> Look:
        """Read them. A file that is not there, or was saved in half, is no edit: there will be another."""
        try:
            content = read_config(self.path)
            check_whole(content, self.path)
        except ConfigError as error:
            return Look(None, str(error))
        # One that is whole and wrong keeps the manifests that are known; the refresh says what is wrong.
        with suppress(ConfigError):
            self._manifests = manifests_of(load_config(self.path))
        return Look(joint_digest(digest_of(content), _digests(self._manifests)))


def digest_in_force(config: LoadedConfig) -> str:
    """What stands for a loaded configuration, as :meth:`ConfigFiles.look` says it."""
    return joint_digest(config.digest, _digests(manifests_of(config)))


def manifests_of(config: LoadedConfig) -> tuple[Path, ...]:
    """The manifests of dbt that a configuration names, each once."""
    profiling, directory = config.model.profiling, config.path.parent
    options = profiling.discovery_options
    named = [manifest_of(options, directory), *(entry.manifest(options, directory) for entry in profiling.tables)]
    return tuple(sorted({path for path in named if path is not None}))


def links_to(file: Path) -> set[Path]:
    """The path itself, and every symbolic link on the way to what it means: a mounted directory is often one."""
    found = {file}
    todo = [file]
    while todo and len(found) < _MOST_LINKS:
        path = todo.pop()
        for part in (path, *path.parents):
            if part.is_symlink():
                with suppress(OSError, ValueError):
                    target = (part.parent / part.readlink()) / path.relative_to(part)
                    new = {part, target} - found
                    found |= new
                    todo += [each for each in new if each != part]
    return found


def _digests(paths: Iterable[Path]) -> dict[str, str | None]:
    return {str(path): _digest(path) for path in paths}


def _digest(path: Path) -> str | None:
    try:
        return digest_of(path.read_bytes())
    except OSError:
        return None
