from __future__ import annotations


def keys(document, part):
    return [outcome["table_key"] for outcome in document[part]]


def test_all_tables_are_profiled_whether_they_changed_or_not(shop):
    for _ in range(2):
        document = shop.answer("profile")
        assert keys(document, "profiled") == ["orders", "users", "items"]
        assert document["skipped"] == document["failed"] == []


def test_changed_profiles_only_what_changed_and_says_why_the_others_were_skipped(shop):
    shop.run("profile")
    shop.sql("INSERT INTO users VALUES (3, 'Edsger')")

    document = shop.answer("profile", "--changed")

    assert keys(document, "profiled") == ["users"]
    assert keys(document, "skipped") == ["orders", "items"]
    assert all(skipped["why"].startswith("unchanged since") for skipped in document["skipped"])


def test_named_tables_are_profiled_and_no_others(shop):
    assert keys(shop.answer("profile", "users", "orders", "users"), "profiled") == ["users", "orders"]
    assert keys(shop.answer("profile", "--changed", "users"), "profiled") == []
    assert [change["table_key"] for change in shop.answer("diff")["changes"]] == ["items"]


def test_a_table_that_fails_stops_no_other_and_gives_exit_code_1(shop):
    shop.configure("orders", "ghost", "users")

    document = shop.answer("profile", exit_code=1)

    assert keys(document, "profiled") == ["orders", "users"]
    assert keys(document, "failed") == ["ghost"]
    assert document["failed"][0]["error"].startswith(f"table ghost was not found in sqlite file {shop.source}")
    assert shop.answer("results", "users")["row_count"] == 2


def test_a_parked_table_is_skipped_until_it_is_forced(shop):
    shop.configure("orders", "ghost", airflow={"max_attempts": 1})
    shop.run("profile")

    document = shop.answer("profile")
    assert keys(document, "profiled") == ["orders"]
    assert document["skipped"][0]["why"].startswith(
        "parked, since it failed too often (1); the last error: table ghost was not found"
    )
    assert shop.answer("profile", "--changed")["profiled"] == []

    shop.sql("CREATE TABLE ghost (id INTEGER)")
    assert keys(shop.answer("profile", "ghost", "--force"), "profiled") == ["ghost"]


def test_the_reason_is_kept_in_the_ledger(shop):
    shop.run("profile")

    assert "forced: the audit" in shop.run("profile", "users", "--reason", "the audit").stdout


def test_changed_with_force_takes_parked_tables_and_leaves_unchanged_ones_alone(shop):
    shop.configure("users", "ghost", airflow={"max_attempts": 1})
    shop.run("profile")
    shop.sql("CREATE TABLE ghost (id INTEGER)")

    document = shop.answer("profile", "--changed", "--force", "--reason", "the table is there now")
    assert keys(document, "profiled") == ["ghost"]
    assert keys(document, "skipped") == ["users"]


def test_the_text_lists_outcomes_with_what_needs_attention_last(shop):
    shop.configure("ghost", "orders", "users")
    shop.run("profile", "users")

    result = shop.run("profile", "--changed")

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].split() == ["table", "outcome", "rows", "columns", "seconds", "why"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["users", "skipped"],
        ["orders", "profiled"],
        ["ghost", "failed"],
    ]
    assert lines[2].split()[2:4] == ["3", "3"]
    assert lines[2].endswith("added")
    assert lines[4] == "1 profiled, 1 skipped, 1 failed"


def test_progress_and_failures_are_told_on_stderr_as_they_happen(shop):
    shop.configure("orders", "ghost", "users")

    lines = shop.run("profile", "--format", "json").stderr.splitlines()

    assert lines[0].startswith("[1/3] orders: 3 rows, 3 columns in ")
    assert lines[1].startswith("error: profiling ghost failed: table ghost was not found")
    assert lines[2].startswith("[3/3] users: 2 rows, 2 columns in ")
    assert len(lines) == 3


def test_debug_tells_what_is_done_and_why(shop):
    result = shop.run("profile", "users", "--debug")

    assert "info: profiling users, because of added; forced: requested" in result.stderr


def test_a_warning_of_the_configuration_is_told_on_stderr(shop):
    shop.configure("orders", profiling={"metrics": ["count"], "metrcs": []})

    assert "warning: " in shop.run("profile").stderr
    assert "metrcs" in shop.run("profile", "--format", "json").stderr
