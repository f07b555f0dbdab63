"""The JSON documents are a promise: exactly these keys, in every case."""

from __future__ import annotations

import json

import pytest

TABLE = ["table_key", "schema", "table", "asset_uri", "metrics", "partition", "sampling", "fingerprint"]
FINGERPRINT = ["settings", "schema", "data"]
REASON = ["kind", "field", "before", "after"]
PROFILED = ["table_key", "run_id", "row_count", "rows_of", "rung", "columns", "seconds", "queries"]
STATUS = ["table_key", "state", "reasons", "attempts", "last_profiled_at", "last_run_id", "queue_place", "postponed"]
RESULTS = ["table_key", "run_id", "profiled_at", "row_count", "rows_of", "origin", "columns"]


@pytest.fixture
def walked(shop):
    """One table is current, one changed, one new, one parked, one gone."""
    shop.configure("orders", "users", "gone", airflow={"max_attempts": 1})
    shop.sql("CREATE TABLE gone (id INTEGER)")
    shop.run("profile")
    shop.configure("orders", "users", "items", "ghost")
    shop.run("profile", "ghost")
    shop.sql("INSERT INTO users VALUES (3, 'Edsger')")
    return shop


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_the_document_of_a_plan(walked, options):
    document = walked.answer("plan", *options)

    assert list(document) == ["environment", "source", "tables", "warnings"]
    assert len(document["tables"]) == 4
    for table in document["tables"]:
        assert list(table) == TABLE
        assert list(table["fingerprint"]) == FINGERPRINT
        assert isinstance(table["fingerprint"]["settings"], str)


def test_the_document_of_a_diff(walked):
    document = walked.answer("diff")

    assert list(document) == ["changes", "removed", "unchanged"]
    assert [change["table_key"] for change in document["changes"]] == ["users", "items", "ghost"]
    assert {tuple(change) for change in document["changes"]} == {("table_key", "reasons")}
    assert {tuple(reason) for change in document["changes"] for reason in change["reasons"]} == {tuple(REASON)}
    assert (document["removed"], document["unchanged"]) == (["gone"], 1)


def test_the_document_of_a_profile(walked):
    walked.configure("orders", "users", "items", "ghost", "phantom")
    document = walked.answer("profile", "--changed", exit_code=1)

    assert list(document) == ["profiled", "skipped", "failed"]
    assert [list(each) for each in document["profiled"]] == [PROFILED, PROFILED]
    assert [list(each) for each in document["skipped"]] == [["table_key", "why"]] * 2
    assert [list(each) for each in document["failed"]] == [["table_key", "error", "error_type"]]
    assert isinstance(document["profiled"][0]["columns"], int)


def test_the_document_of_a_status(walked):
    document = walked.answer("status")

    assert list(document) == ["tables"]
    assert [table["state"] for table in document["tables"]] == ["current", "current", "open", "parked"]
    assert {tuple(table) for table in document["tables"]} == {tuple(STATUS)}
    assert {tuple(reason) for table in document["tables"] for reason in table["reasons"]} == {tuple(REASON)}


def test_the_document_of_results(walked):
    document = walked.answer("results", "users")

    assert list(document) == RESULTS
    assert [list(column) for column in document["columns"]] == [["column", "type", "metrics", "errors"]] * 2
    assert document["profiled_at"].endswith("+00:00")


@pytest.mark.parametrize("command", [["plan"], ["diff"], ["profile"], ["status"], ["results", "users"]])
def test_nothing_but_the_document_is_on_stdout(walked, command):
    walked.configure("orders", "users", "ghost", unknown_section={"a": 1})
    result = walked.run(*command, "--format", "json")

    assert isinstance(json.loads(result.stdout), dict)
    assert result.stdout.endswith("}\n")


@pytest.mark.parametrize("command", [["plan"], ["diff"], ["profile"], ["status"], ["results", "users"]])
def test_an_error_leaves_stdout_empty(walked, command):
    walked.config.write_text("environment: [")
    result = walked.run(*command, "--format", "json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
