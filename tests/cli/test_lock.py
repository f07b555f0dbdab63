"""``plan --lock``: the tables of a plan as a file, for DAG files."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def lake(shop):
    """The shop, whose tables nobody lists."""
    shop.configure({"table": "*"})
    return shop


def test_the_lock_is_written_beside_the_configuration_and_holds_no_connection(lake):
    lake.sections["source"]["password"] = "s3cret-word"
    lake.configure({"table": "*"})
    result = lake.run("plan", "--lock")

    text = (lake.folder / "config.lock.json").read_text()
    lock = json.loads(text)
    settings = {table["table_key"]: table["fingerprint"]["settings"] for table in lake.answer("plan")["tables"]}
    assert result.stdout.splitlines()[-4:] == [
        "+ items",
        "+ orders",
        "+ users",
        f"{lake.folder}/config.lock.json: written",
    ]
    assert {key: lock[key] for key in ("format", "environment", "source")} == {
        "format": 1,
        "environment": "test",
        "source": "shop",
    }
    assert lock["tables"] == [{"table": name, "settings": settings[name]} for name in ("items", "orders", "users")]
    assert "s3cret-word" not in text
    assert str(lake.source) not in text
    assert sorted(path.name for path in lake.folder.iterdir()) == ["config.lock.json", "config.yml", "shop.db"]


def test_the_same_plan_is_the_same_file(lake):
    lake.run("plan", "--lock", "one.json")
    lake.run("plan", "--lock", "other.json")
    lake.sql("INSERT INTO orders VALUES (9, 9, 'i')")

    again = lake.answer("plan", "--lock", "one.json")["lock"]

    assert (lake.folder / "one.json").read_bytes() == (lake.folder / "other.json").read_bytes()
    assert again == {"file": "one.json", "changed": False, "written": False, "added": [], "removed": []}


def test_a_check_writes_nothing_and_fails_when_the_file_would_change(lake):
    assert lake.answer("plan", "--lock", "--check", exit_code=3)["lock"]["written"] is False
    assert not (lake.folder / "config.lock.json").exists()

    lake.run("plan", "--lock")
    assert lake.run("plan", "--lock", "--check").exit_code == 0

    lake.sql("CREATE TABLE parcels (id INTEGER)", "DROP TABLE users")
    before = lake.files()
    lock = lake.answer("plan", "--lock", "--check", exit_code=3)["lock"]
    assert (lock["added"], lock["removed"]) == (["parcels"], ["users"])
    assert lake.files() == before

    lake.configure({"table": "*", "metrics": ["count"]})
    lake.run("plan", "--lock")
    lake.configure({"table": "*", "metrics": ["max"]})
    changed = lake.answer("plan", "--lock", "--check", exit_code=3)["lock"]
    assert (changed["changed"], changed["added"], changed["removed"]) == (True, [], [])


def test_offline_the_tables_are_those_of_the_lock(lake):
    lake.run("plan", "--lock")
    lake.source.unlink()

    plan = lake.answer("plan", "--offline")

    assert [table["table_key"] for table in plan["tables"]] == ["items", "orders", "users"]
    assert plan["warnings"] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--check"], "--check goes with --lock"),
        (["--lock", "--offline"], "--lock asks the database which tables there are; take --offline away"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(lake, options, message):
    result = lake.run("plan", *options)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_lock_that_cannot_be_written_is_one_line_and_leaves_nothing_behind(lake):
    result = lake.run("plan", "--lock", "no/such/folder/x.json")

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error: no/such/folder/x.json: cannot be written")
