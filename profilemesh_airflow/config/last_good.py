"""The last good configuration: what is in force while the file cannot be used.

A file may be half saved, or wrong, at any moment. That must not take the generated DAGs away, and a refresh must not
fail for it. So each machine keeps a copy of the content that it could use last, in Airflow's own directory and readable
for its user alone, as the file may hold logins.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from profilemesh_airflow.config.loader import LoadedConfig, load_config, load_content, read_config
from profilemesh_airflow.config.storage import airflow_home
from profilemesh_airflow.core.watching import digest_of
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

#: The digests of what this process has kept, or found kept, by file.
_kept: dict[Path, str] = {}


def load_last_good(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a configuration file or, where it cannot be used, what it held when it could.

    Then ``broken`` says why it cannot, and so does the first warning.

    :param path: this and ``environ`` are as for :func:`.load_config`.
    :raises ConfigError: it cannot be used, and there is no copy, or it does not help.
    """
    variables = os.environ if environ is None else environ
    try:
        loaded = load_config(path, environ)
    except ConfigError as error:
        return _in_its_place(Path(path).absolute(), variables, error)
    _keep(loaded, variables)
    return loaded


def _in_its_place(file: Path, variables: Mapping[str, str], error: ConfigError) -> LoadedConfig:
    copy = _copy_of(file, variables)
    try:
        content, since = copy.read_bytes(), datetime.fromtimestamp(copy.stat().st_mtime, timezone.utc)
        loaded = load_content(content, file, variables)
    except (OSError, ConfigError):
        raise error from None
    if _holds(file, content):  # what is wrong is around the file: a variable that is not set, until just now
        raise error
    broken = " ".join(str(error).split())
    warning = (
        f"{broken}; until that is mended, the configuration of {since.isoformat(' ', 'seconds')} is in force, the last "
        "good one"
    )
    return replace(loaded, warnings=(warning, *loaded.warnings), broken=broken)


def _holds(file: Path, content: bytes) -> bool:
    with suppress(ConfigError):
        return read_config(file) == content
    return False


def _keep(loaded: LoadedConfig, variables: Mapping[str, str]) -> None:
    if _kept.get(loaded.path) == loaded.digest:
        return
    try:
        copy = _copy_of(loaded.path, variables)
        if not copy.exists() or digest_of(copy.read_bytes()) != loaded.digest:
            _write(copy, read_config(loaded.path), loaded.digest)
    except (OSError, ConfigError) as error:
        log.info("the configuration is not kept for when it is broken: %s", error)
    _kept[loaded.path] = loaded.digest


def _write(copy: Path, content: bytes, digest: str) -> None:
    if digest_of(content) != digest:  # it was edited since, and is kept when it is read next
        return
    copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = copy.with_name(f"{copy.name}.{uuid4().hex[:8]}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)


def _copy_of(file: Path, variables: Mapping[str, str]) -> Path:
    return airflow_home(variables) / "profilemesh" / f"last-good-{digest_of(str(file).encode())}{file.suffix}"
