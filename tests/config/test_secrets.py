from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from profilemesh_airflow.config import ProfileMeshConfig, load_config
from profilemesh_airflow.config.report import is_secret
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parent / "examples" / "full.yml"


def test_no_text_of_a_configuration_shows_a_secret() -> None:
    loaded = load_config(EXAMPLE, {"PROFILEMESH_SOURCE__EXTRA_PARAMS__SSLPASSWORD": "extra-pw"})
    shown = f"{loaded} {loaded!r} {loaded.model} {loaded.model.source!s} {loaded.model.source.to_settings()!r}"
    shown += repr(loaded.model.hooks)
    for secret in ("s3cret-pw", "extra-pw", "hook-pw", "hook-param"):
        assert secret not in shown
    assert loaded.model.source.to_settings().secrets() == ("s3cret-pw", "require", "extra-pw")


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (("source", "password"), True),
        (("source", "extra_params"), True),
        (("source", "extra_params", "timeout"), True),
        (("hooks", "hooks", 0, "params", "x"), True),
        (("hooks", "hooks", 0, "webhook_url"), True),
        (("source", "api_key"), True),
        (("source", "Private_Key_File"), True),
        (("source", "access_token"), True),
        (("profiling", "tables", 0, "partition", "key"), False),
        (("source", "host"), False),
    ],
)
def test_a_key_tells_whether_its_value_is_secret(path: tuple[str | int, ...], secret: bool) -> None:
    assert is_secret(path) is secret


@pytest.mark.parametrize(
    "source",
    [
        "{type: postgres, password: [hush]}",
        "{type: postgres, password: {hush: hush}}",
        "{type: postgres, extra_params: hush}",
        "{type: postgres, extra_params: [hush]}",
        "{type: postgres, extra_params: '${V}'}",
        "{type: postgres, extra_params: {a: '${UNSET}', b: hush}}",
        "{type: postgres, password: '${hush'}",
        "{type: postgres, password: '${UNSET}hush'}",
        "'postgresql://me:hush@host/db'",
        "{type: 'postgresql://me:hu/hush@host/db'}",
        "{type: postgres, port: 'tcp://me:hush@host'}",
    ],
)
def test_no_error_shows_a_secret(errors: Callable[..., list[str]], source: str) -> None:
    text = f"source: {source}\nprofiling: {{tables: [{{table: t}}]}}\n"
    found = errors(text, {"V": "hush"})
    assert found[0].startswith("c.yml:1: source")
    assert "hush" not in "\n".join(found).replace("{hush", "")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS", "hush"),
        ("PROFILEMESH_SOURCE__EXTRA_PARAMS", "[hush"),
        ("PROFILEMESH_HOOKS__HOOKS__0__PARAMS", "hush"),
    ],
)
def test_no_error_of_an_override_shows_a_secret(errors: Callable[..., list[str]], variable: str, text: str) -> None:
    (error,) = [line for line in errors(environ={variable: text}) if line.startswith(variable)]
    assert "hush" not in error


def test_pydantic_itself_would_not_show_a_value_either() -> None:
    with pytest.raises(ValueError, match="password") as caught:
        ProfileMeshConfig.model_validate({"source": {"type": "postgres", "password": ["hush"]}})
    assert "hush" not in str(caught.value)


def test_an_error_drags_no_other_exception_with_values_along(errors: Callable[..., list[str]], tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text("source: {type: postgres, password: [hush]}\nprofiling: {tables: [{table: t}]}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
