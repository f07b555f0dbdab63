from __future__ import annotations

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings

SECRET = ConnectionSettings(
    "postgres",
    host="db",
    port=5433,
    database="shop",
    username="reader",
    password="hunter2",
    extra_params={"sslmode": "on", "token": "t0ken-value", "more": {"keys": ["nested-value"]}},
)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (SECRET, "postgres database shop at db:5433"),
        (ConnectionSettings("postgres"), "postgres database (default) at localhost"),
        (ConnectionSettings("sqlite", filepath="/data/a b.db"), "sqlite file /data/a b.db"),
        (ConnectionSettings("snowflake", account="acme", database="shop"), "snowflake database shop at acme"),
    ],
)
def test_a_place_says_where_and_never_who(settings, place):
    assert settings.place == place


@pytest.mark.parametrize("shown", [repr(SECRET), str(SECRET), SECRET.place])
def test_no_secret_is_shown(shown):
    assert not [secret for secret in SECRET.secrets() if secret in shown]


def test_password_and_driver_arguments_are_secrets_but_for_short_words():
    assert set(SECRET.secrets()) == {"hunter2", "t0ken-value", "nested-value"}


@pytest.mark.parametrize(
    ("password", "text", "redacted"),
    [
        ("hunter2", "no hunter2\n  here", "no *** here"),
        ("two  spaces", "no two  spaces here", "no *** here"),
        ("ab", "ab abc", "*** ***c"),
        (None, "nothing to hide", "nothing to hide"),
        ("", "nothing to hide", "nothing to hide"),
    ],
)
def test_a_redacted_text_is_one_line_without_the_secret(password, text, redacted):
    assert ConnectionSettings("postgres", password=password).redact(text) == redacted


def test_a_secret_within_another_leaves_no_rest():
    settings = ConnectionSettings("postgres", password="secret", extra_params={"key": "secret-and-more"})

    assert settings.redact("secret-and-more, secret") == "***, ***"
