from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from profilemesh_airflow.config import parse_config
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from profilemesh_airflow.config import LoadedConfig

#: The least that is a configuration; its last line may be followed by more keys of ``profiling``.
SMALLEST = """\
source: {type: postgres, database: shop}
profiling:
  tables:
    - {schema: sales, table: orders}
"""


@pytest.fixture
def smallest() -> str:
    return SMALLEST


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., LoadedConfig]:
    """Load a text as if it were a file, in an environment that is empty unless it is given."""

    def _load(text: str = SMALLEST, environ: Mapping[str, str] | None = None, name: str = "c.yml") -> LoadedConfig:
        return parse_config(text, tmp_path / name, environ or {})

    return _load


@pytest.fixture
def errors(load: Callable[..., LoadedConfig], tmp_path: Path) -> Callable[..., list[str]]:
    """The lines of the ConfigError that a text raises, without the directory of the file."""

    def _errors(text: str = SMALLEST, environ: Mapping[str, str] | None = None, name: str = "c.yml") -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, environ, name)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return _errors


@pytest.fixture
def warnings(load: Callable[..., LoadedConfig], tmp_path: Path) -> Callable[..., list[str]]:
    """The warnings of a text, without the directory of the file."""

    def _warnings(text: str = SMALLEST, environ: Mapping[str, str] | None = None, name: str = "c.yml") -> list[str]:
        return [line.replace(f"{tmp_path}/", "") for line in load(text, environ, name).warnings]

    return _warnings
