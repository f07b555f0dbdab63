"""``diff --against``: what a change of the configuration would have profiled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

DAG = "profilemesh_profile.test.shop."


def git(shop, *arguments):
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
    ended = subprocess.run(
        ["git", "-C", str(shop.folder), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


@pytest.fixture
def repository(shop, monkeypatch):
    """The shop's configuration in its first commit, which is on branch ``main``."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git(shop, "init", "-q", "-b", "main")
    git(shop, "add", "config.yml")
    git(shop, "commit", "-q", "-m", "first")
    return shop


def reasons(document):
    return {
        change["table_key"]: [(why["kind"], why["field"], why["before"], why["after"]) for why in change["reasons"]]
        for change in document["changes"]
    }


def test_settings_are_compared_without_database_store_or_airflow(repository):
    repository.configure("orders", {"table": "users", "max_distinct_values": 7}, {"table": "parcels", "priority": 3})
    repository.source.unlink()

    document = repository.answer("diff", "--against", "main")

    assert reasons(document) == {
        "users": [("settings", "max_distinct_values", 1000, 7)],
        "parcels": [("added", "table", None, "parcels")],
    }
    assert [change["dag_id"] for change in document["changes"]] == [f"{DAG}users", f"{DAG}parcels"]
    assert (document["removed"], document["unchanged"]) == (["items"], 1)
    assert (document["estimated_rows"], document["estimated_bytes"]) == (None, None)
    (note,) = document["notes"]
    assert note.startswith("how much would be read is unknown: cannot use sqlite file ")
    assert not repository.store.exists()
    assert not repository.source.exists()


def test_the_commit_is_named_in_full_beside_what_it_was_called(repository):
    commit = git(repository, "rev-parse", "HEAD")

    assert repository.answer("diff", "--against", "main")["against"] == f"main ({commit[:12]})"
    assert repository.answer("diff", "--against", commit)["against"] == commit


def test_a_file_is_as_good_as_a_commit(shop):
    other = shop.folder / "other.yml"
    other.write_text(shop.config.read_text())
    shop.configure("orders", "users", {"table": "items", "metrics": ["count"]})

    document = shop.answer("diff", "--against", "other.yml", "--offline")

    assert list(reasons(document)) == ["items"]
    assert document["notes"] == ["how much would be read is unknown: the database was not asked"]


def test_where_nothing_changes_for_a_table_there_is_nothing_to_profile(repository):
    repository.configure("orders", {"table": "users", "priority": 9}, "items", airflow={"lease": "2h"})

    result = repository.run("diff", "--against", "main", "--exit-code")

    assert result.exit_code == 0
    assert result.stdout.startswith("against main (")
    assert result.stdout.endswith("): nothing would be profiled, 3 unchanged\n")


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
@pytest.mark.parametrize("tables", [("orders", "users"), ("orders", "users", {"table": "items", "metrics": ["count"]})])
def test_exit_code_3_says_that_something_changed_and_only_when_asked(repository, output, tables):
    repository.configure(*tables)

    assert repository.run("diff", "--against", "main", "--format", output).exit_code == 0
    assert repository.run("diff", "--against", "main", "--format", output, "--exit-code").exit_code == 3


def test_another_way_to_find_the_version_of_the_rows_is_a_change(repository):
    repository.configure("orders", {"table": "users", "watermark": "id"}, "items")

    document = repository.answer("diff", "--against", "main", "--offline")

    assert reasons(document) == {"users": [("data", "version rule", None, "watermark id")]}


def test_under_another_name_of_environment_or_source_every_table_is_new(repository):
    repository.sections["environment"] = "prod"
    repository.configure("orders", "users")

    document = repository.answer("diff", "--against", "main", "--offline")

    assert [kind for ((kind, *_),) in reasons(document).values()] == ["added", "added"]
    assert document["removed"] == ["orders", "users", "items"]
    assert document["changes"][0]["dag_id"] == "profilemesh_profile.prod.shop.orders"


def test_another_database_or_store_may_have_every_table_profiled_which_is_said(repository):
    connection = {"type": "sqlite", "filepath": str(repository.folder / "another.db")}
    repository.configure(
        "orders", "users", "items", storage={"connection": connection}, source={**connection, "name": "shop"}
    )

    notes = repository.answer("diff", "--against", "main", "--offline")["notes"]

    assert [note.partition(":")[0] for note in notes] == ["source changed", "storage changed"]


def test_a_file_that_the_commit_does_not_have_makes_every_table_new(repository):
    new = repository.folder / "new.yml"
    new.write_text(repository.config.read_text())

    document = repository.answer("diff", "-c", str(new), "--against", "HEAD", "--offline")

    assert (len(document["changes"]), document["unchanged"]) == (3, 0)
    assert document["notes"][0] == f"new.yml is not in {document['against']}: every table is new"


class TestPatterns:
    @pytest.fixture
    def patterns(self, repository):
        repository.configure({"schema": "main", "table": "*"})
        repository.run("plan", "--lock")
        git(repository, "add", "config.yml", "config.lock.json")
        git(repository, "commit", "-q", "-m", "patterns")
        return repository

    def test_the_locks_of_both_versions_say_which_tables_they_are(self, patterns):
        patterns.sql("CREATE TABLE parcels (id INTEGER)", "DROP TABLE items")
        patterns.run("plan", "--lock")
        patterns.source.unlink()

        document = patterns.answer("diff", "--against", "main")

        assert reasons(document) == {"main.parcels": [("added", "table", None, "main.parcels")]}
        assert document["removed"] == ["main.items"]

    def test_without_a_lock_that_fits_the_database_says_it(self, patterns):
        patterns.configure(
            {"schema": "main", "table": "*s", "metrics": ["count"]}, {"schema": "main", "table": "none*"}
        )

        document = patterns.answer("diff", "--against", "main")

        assert sorted(reasons(document)) == ["main.items", "main.orders", "main.users"]
        assert document["notes"] == []

    def test_and_where_that_cannot_be_asked_the_part_that_is_unknown_is_named(self, patterns):
        patterns.configure({"schema": "main", "table": "*s"}, "orders")
        patterns.source.unlink()

        document = patterns.answer("diff", "--against", "main")

        assert list(reasons(document)) == ["orders"]
        first, second = document["notes"]
        assert first.startswith("which tables the patterns find now is unknown, so that they are left out: cannot use")
        assert second.startswith("how much would be read is unknown: cannot use sqlite file")


def test_some_tables_alone_can_be_asked_for(repository):
    repository.configure({"table": "orders", "metrics": ["count"]}, {"table": "users", "metrics": ["count"]})

    document = repository.answer("diff", "users", "items", "--against", "main", "--offline")

    assert (list(reasons(document)), document["removed"], document["unchanged"]) == (["users"], ["items"], 0)


def test_a_budget_that_spreads_the_tables_is_told(repository):
    repository.configure("a", "b", "c", airflow={"budget": {"tables": 2}})

    notes = repository.answer("diff", "--against", "main", "--offline")["notes"]

    assert notes[-1] == "airflow.budget lets one refresh ring for 2 tables: the others come later"


@pytest.mark.parametrize(
    ("against", "message"),
    [
        ("no-such-branch", "'no-such-branch' is neither a file nor a commit: this repository has no such commit"),
        ("--output=x", "'--output=x' is no commit: a name cannot begin with a dash"),
    ],
)
def test_what_is_neither_a_file_nor_a_commit_is_bad_usage(repository, against, message):
    result = repository.run("diff", f"--against={against}")

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_outside_a_repository_git_says_so(shop, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(shop.folder.parent))

    result = shop.run("diff", "--against", "main")

    assert result.exit_code == 2
    assert "'main' is neither a file nor a commit: fatal: not a git repository" in result.stderr


def test_a_version_that_was_wrong_is_bad_usage(repository):
    right = repository.config.read_text()
    repository.config.write_text("environment: [")
    git(repository, "commit", "-q", "-a", "-m", "wrong")
    repository.config.write_text(right)

    result = repository.run("diff", "--against", "HEAD")

    assert result.exit_code == 2
    assert "not valid YAML" in result.stderr


def test_offline_goes_with_against(shop):
    assert shop.run("diff", "--offline").exit_code == 2


def test_the_comment_has_a_row_a_table_with_its_reasons_size_and_dag(repository):
    repository.configure("orders", {"table": "users", "max_distinct_values": 7})

    page = repository.run("diff", "--against", "main", "--format", "markdown").stdout.splitlines()

    assert page[0] == "### ProfileMesh: 1 table would be profiled, 1 removed, 1 unchanged"
    assert page[2].startswith("Compared with `main (")
    assert page[4] == "| table | why | rows | bytes | DAG |"
    assert page[6].startswith("| `users` | settings: max\\_distinct\\_values 1000 -\\> 7 | ")
    assert page[6].endswith(f"| `{DAG}users` |")
    assert "No longer profiled: `items`." in page


def test_a_comment_stays_small_however_many_tables_change(repository):
    repository.configure(*(f"table_with_a_long_name_{number}" for number in range(2000)))

    page = repository.run("diff", "--against", "main", "--offline", "--format", "markdown").stdout

    assert len(page) < 20_000
    assert "And 1950 more tables." in page


def test_what_changed_since_the_last_profiles_can_be_markdown_too(shop):
    shop.run("profile", "users", "items")

    page = shop.run("diff", "--format", "markdown").stdout

    assert page.splitlines()[0].startswith("### ProfileMesh: 1 table would be profiled")
    assert f"| `orders` | added | unknown | unknown | `{DAG}orders` |" in page


def test_no_password_of_either_version_is_told(repository):
    source = {
        "name": "shop",
        "type": "postgres",
        "host": "127.0.0.1",
        "port": 1,
        "database": "x",
        "password": "hunter2",
    }
    repository.configure("orders", source=source)
    git(repository, "commit", "-q", "-a", "-m", "another source")
    repository.configure({"table": "orders", "metrics": ["count"]}, source={**source, "password": "hunter3"})

    assert [note.partition(":")[0] for note in repository.answer("diff", "--against", "HEAD")["notes"]] == [
        "how much would be read is unknown"
    ]
    for output in ("text", "json", "markdown"):
        result = repository.run("diff", "--against", "HEAD", "--format", output)
        assert "how much would be read is unknown" in result.output.replace("\\", "")
        assert "hunter" not in result.output


def test_the_example_workflow_runs_the_command_that_there_is():
    workflow = yaml.safe_load(Path(__file__).parents[2].joinpath("docs/examples/github-action-diff.yml").read_text())

    scripts = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert any("profilemesh-airflow diff" in script and "--format markdown" in script for script in scripts)
