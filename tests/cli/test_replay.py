from __future__ import annotations

import time

import pytest


@pytest.fixture
def walked(shop):
    """Orders and users were profiled, ghost is parked, items is new."""
    shop.configure("orders", "users", "ghost", "items", airflow={"max_attempts": 1})
    shop.run("profile", "orders", "users", "ghost")
    return shop


def test_it_says_what_was_re_opened_what_was_not_and_what_happens_next(walked):
    result = walked.run("replay", "orders", "ghost", "items", "--reason", "new metric")

    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert lines[:4] == [
        ["table", "outcome", "why"],
        ["items", "skipped", "it was never profiled and has no change; the next refresh finds it"],
        ["orders", "re-opened", "it was current"],
        ["ghost", "re-opened", "it was parked"],
    ]
    assert result.stdout.splitlines()[4:] == [
        "2 re-opened, 1 skipped",
        "The next refresh rings for what is re-opened; `profilemesh-airflow profile --changed` profiles it now.",
    ]
    assert "forced: new metric" in walked.run("status").stdout


def test_what_it_promises_is_so(walked):
    walked.run("replay", "orders")

    document = walked.answer("profile", "--changed", "orders", "users")
    assert [table["table_key"] for table in document["profiled"]] == ["orders"]


def test_the_document_has_the_same_keys_in_every_case(walked):
    document = walked.answer("replay", "orders", "items")

    (reopened,) = document["replayed"]
    assert list(document) == ["replayed", "skipped"]
    assert list(reopened) == ["table_key", "before", "state", "change_id"]
    assert [reopened[key] for key in ("table_key", "before", "state")] == ["orders", "current", "open"]
    assert [list(each) for each in document["skipped"]] == [["table_key", "why"]]
    assert walked.answer("replay", "--since", "2999-01-01") == {"replayed": [], "skipped": []}


def test_without_a_word_on_which_tables_nothing_is_replayed(walked):
    result = walked.run("replay")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: Nothing to replay: name tables, or give --since or --parked; see `profilemesh-airflow replay --help`\n"
    )


def test_where_no_table_fits_it_says_so(walked):
    result = walked.run("replay", "--since", "2999-01-01")

    assert (result.exit_code, result.stdout) == (0, "nothing re-opened: no table of the plan meets all that is asked\n")


@pytest.mark.parametrize(
    "when",
    ["2000-01-31", "2000-01-31T18:00", "2000-01-31T18:00:00Z", "2000-01-31 18:00+02:00", "2d", "90m", "1d12h", "3600"],
)
def test_a_time_is_a_date_a_moment_or_a_length_of_time(walked, when):
    replayed = walked.answer("replay", "--since", when)["replayed"]
    assert [table["table_key"] for table in replayed] == ["orders", "users"]


@pytest.fixture
def far_west(monkeypatch):
    """A machine where it is eleven hours earlier than in UTC."""
    monkeypatch.setenv("TZ", "Pacific/Pago_Pago")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_west")
def test_a_time_without_a_zone_is_in_utc(walked):
    when = walked.answer("status")["tables"][0]["last_profiled_at"][:19]

    assert len(walked.answer("replay", "orders", "--since", when)["replayed"]) == 1


@pytest.mark.parametrize("when", ["yesterday", "2024-13-01", "", "-2d", "0d", "Z"])
def test_what_is_no_time_is_bad_usage_that_shows_how_to_write_one(walked, when):
    result = walked.run("replay", "--since", when)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{when!r} is no time; write it as 2024-01-31, 2024-01-31T18:00 or 2d" in result.stderr
