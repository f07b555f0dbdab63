"""The earlier integration's results, made the store's own."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from time import monotonic, sleep

import pytest
from sqlalchemy import event, inspect, text
from sqlalchemy.engine import Engine

from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store import EARLIER, OWN, LeftOut, Store, TableNames, adopt, database, legacy_copy, migrate
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.engine import make_engine
from profilemesh_airflow.store.legacy import Owners
from profilemesh_airflow.store.migrate import Shape
from profilemesh_airflow.store.schema import HEAD
from tests.earlier import AMOUNT, Earlier
from tests.store.kill import kill_at

IDENTITY = Identity("test", "warehouse")
PRODUCTION = Identity("production", "warehouse")
REFS = (TableRef("orders", "sales"), TableRef("orders", "hr"), TableRef("items"), TableRef("users", "sales", "shop"))
ID = ("id", "INTEGER")
RENAMED = {
    "profilemesh_runs": "profilemesh_runs_legacy",
    "profilemesh_results": "profilemesh_results_legacy",
    "profilemesh_runs_airflow": "profilemesh_runs",
    "profilemesh_results_airflow": "profilemesh_results",
}


@pytest.fixture
def settings(empty_database):
    """Where no store is yet."""
    return empty_database


@pytest.fixture
def store(settings):
    with Store(settings) as store:
        yield store


@pytest.fixture
def filled(earlier):
    """Its tables, with every defect that it had."""
    fill(earlier)
    return earlier


def fill(earlier, **options):
    earlier.profile("r1", "orders", {("amount", "NUMERIC"): AMOUNT, ("note", "TEXT"): {"min": "007"}}, **options)
    earlier.profile("r1", "orders", {ID: {"count": "100"}}, schema="hr", row_count=100, **options)
    retried = {"at": "2024-01-02 10:00:00", **options}
    earlier.profile("r2", "orders", {ID: {"count": "3", "max": "3"}, ("gone", "TEXT"): {"count": "3"}}, **retried)
    earlier.profile("r2", "orders", {ID: {"count": "4", "max": "4"}}, **{**retried, "at": "2024-01-02 10:05:00"})
    earlier.profile("r3", "items", {ID: {"error": "no such function"}}, schema=None, row_count=None, **options)
    earlier.profile("r4", "items", {}, schema=None, status="failed", at="2024-01-03 10:00:00", **options)
    earlier.profile("r5", "orders", {ID: {"count": "9"}}, environment="production", **options)
    earlier.profile("r6", "users", {ID: {"count": "1"}}, **options)
    earlier.profile("r7", "elsewhere", {ID: {"count": "1"}}, **options)


def history_of(store):
    """All that can be read, of every table in both environments."""
    return [
        (results.latest(ref.key), [(run, results.profile(run.run_id, ref.key)) for run in results.runs(ref.key)])
        for identity in (IDENTITY, PRODUCTION)
        for results in [store.results(identity, REFS)]
        for ref in REFS
    ]


def tables_of(settings):
    engine = make_engine(settings)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_what_was_history_stays_the_same_history(store, filled, sql):
    before, rows = history_of(store), filled.dump()

    adopted = store.adopt(IDENTITY, REFS)

    assert history_of(store) == before
    assert {run.origin for _, runs in before for run, _ in runs} == {EARLIER}
    assert adopted.renamed == RENAMED
    assert replace(filled, runs="profilemesh_runs_legacy", results="profilemesh_results_legacy").dump() == rows
    with Store(store._database.settings) as another:
        assert history_of(another) == before


def test_it_is_told_how_many_rows_were_taken_over(store, filled, sql):
    copied = store.adopt(IDENTITY, REFS).copied

    # r2 was retried: the three rows of its first attempt are those that are repeated.
    assert (copied.runs, copied.metric_rows, copied.repeated, copied.left_out) == (8, 18, 3, [])
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (8, 18)
    assert sql.count("profilemesh_results_legacy") == 18 + 3


def test_a_dashboard_of_the_earlier_integration_goes_on(store, filled, sql):
    question = (
        "SELECT r.environment, r.schema_name, r.dataset_name, r.row_count, m.column_name, m.metric_name, m.metric_value"
        " FROM profilemesh_runs r JOIN profilemesh_results m ON m.run_id = r.run_id"
        " AND m.dataset_name = r.dataset_name AND m.schema_name = r.schema_name"
        " WHERE r.run_id = 'r1' AND m.metric_name IN ('count', 'mean') ORDER BY r.schema_name, m.metric_name"
    )
    before = [tuple(row) for row in sql.run(question)]

    store.adopt(IDENTITY, REFS)

    hr = ("test", "hr", "orders", 100, "id", "count", "100")
    assert [tuple(row) for row in sql.run(question)] == [hr, *before]
    assert sql.one("SELECT numeric_value FROM profilemesh_results WHERE metric_name = 'mean'") == 8.75


def test_each_run_gets_its_own_environment_the_source_and_the_key_of_the_plan(store, filled, sql):
    store.adopt(IDENTITY, REFS)

    rows = sql.run(
        "SELECT run_id, environment, source_name, table_key, database_name, status, column_count, worker, reasons"
        " FROM profilemesh_runs ORDER BY run_id, table_key"
    )
    assert [tuple(row)[:7] for row in rows] == [
        ("r1", "test", "warehouse", "hr.orders", None, "completed", 1),
        ("r1", "test", "warehouse", "sales.orders", None, "completed", 2),
        ("r2", "test", "warehouse", "sales.orders", None, "completed", 1),
        ("r3", "test", "warehouse", "items", None, "completed", 1),
        ("r4", "test", "warehouse", "items", None, "failed", 0),
        ("r5", "production", "warehouse", "sales.orders", None, "completed", 1),
        ("r6", "test", "warehouse", "shop.sales.users", "shop", "completed", 1),
        ("r7", "test", "warehouse", "sales.elsewhere", None, "completed", 1),
    ]
    assert {tuple(row)[7:] for row in rows} == {(EARLIER, "[]")}


@pytest.mark.parametrize("one_row_a_run", [False, True])
def test_tables_that_refer_to_each_other_are_adopted_too(store, sql, one_row_a_run):
    earlier = Earlier(sql.run, sql.engine.dialect.name).create(one_row_a_run=one_row_a_run)
    fill(earlier, one_row_a_run=one_row_a_run)

    assert store.adopt(IDENTITY, REFS).copied.runs == 8
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        sql.run(
            "INSERT INTO profilemesh_results SELECT 'nobody', table_key, column_position, metric_name, schema_name,"
            " dataset_name, column_name, column_type, metric_value, value_type, numeric_value, error, profiled_at"
            " FROM profilemesh_results WHERE run_id = 'r7'"
        )


def test_where_there_is_nothing_to_adopt_nothing_is_done(store, settings):
    assert store.earlier() is None
    assert store.adopt(IDENTITY, REFS) is None
    assert store.version()[0] is not None
    assert tables_of(settings) >= {"profilemesh_runs", "profilemesh_results"}


def test_a_second_adoption_finds_nothing(store, filled, sql):
    assert store.earlier().as_dict() == {"runs": 7, "metric_rows": 21, "renames": RENAMED}
    store.adopt(IDENTITY, REFS)

    assert store.earlier() is None
    assert store.adopt(IDENTITY, REFS) is None
    assert sql.count("profilemesh_runs") == 8


def test_a_table_profiled_by_us_before_and_after_has_one_history(store, filled, world_of):
    world = world_of(store)
    world.settle("orders")

    store.adopt(IDENTITY, REFS)
    world.put("orders", version="2")
    world.refresh()
    world.profile("sales.orders")

    history = store.results(IDENTITY, REFS)
    assert [run.origin for run in history.runs("sales.orders")] == [OWN, OWN, EARLIER, EARLIER]
    latest = history.latest("sales.orders")
    assert history.previous(history.previous(latest)).run_id == "r2"
    assert world.ledger.baselines()["sales.orders"].run_id == latest.run_id


def test_an_adopted_table_is_still_to_be_profiled(store, filled, world_of):
    store.adopt(IDENTITY, REFS)
    world = world_of(store)
    world.put("orders")

    assert [entry.key for entry in world.refresh()] == ["sales.orders"]


def test_a_worker_that_has_the_former_names_goes_on(store, filled, settings, world_of):
    """Ledger, results and event log were opened before; each then does the first thing that a process may do."""
    world, history = world_of(store), store.results(IDENTITY, REFS)
    world.put("orders", "items")
    world.refresh()
    ledger = world.ledger
    claims = [ledger.claim(f"sales.{name}", "worker") for name in ("orders", "items")]
    assert history.latest("sales.orders").run_id == "r2"

    assert adopt_in(settings)

    assert ledger.commit(claims[0], world.run_of("sales.orders", run_id="ours")).outcome == "profiled"
    ledger.fail(claims[1], "boom")
    assert [run.run_id for run in history.runs("sales.orders")] == ["ours", "r2", "r1"]
    assert history.previous(history.latest("sales.orders")).run_id == "r2"


@pytest.mark.parametrize("first", ["latest", "runs", "fail", "commit"])
def test_whatever_comes_first_after_an_adoption_finds_the_new_names(store, filled, settings, world_of, first):
    world, history = world_of(store), store.results(IDENTITY, REFS)
    world.put("orders")
    world.refresh()
    ledger = world.ledger
    claim = ledger.claim("sales.orders", "worker")
    adopt_in(settings)

    todo = {
        "latest": lambda: history.latest("sales.orders"),
        "runs": lambda: history.runs("sales.orders"),
        "fail": lambda: ledger.fail(claim, "boom"),
        "commit": lambda: ledger.commit(claim, world.run_of("sales.orders")),
    }
    assert todo[first]()


def test_workers_go_on_while_somebody_adopts(filled, settings, world_of, at_once):
    """None of them may lose the profile that it has just made."""
    with Store(settings) as store:
        world = world_of(store)
        world.put(*(f"t{number}" for number in range(30)))
        world.refresh()

    def work(store, number):
        if number == 0:
            return store.adopt(IDENTITY, REFS).copied.runs
        ledger = store.ledger(IDENTITY, Policy())
        outcomes = []
        for key in [key for position, key in enumerate(world.tables) if position % 3 == number - 1]:
            outcomes.append(ledger.commit(ledger.claim(key, "worker"), world.run_of(key)).outcome)
            assert store.results(IDENTITY, REFS).latest("items").run_id == "r3"
        return outcomes

    assert at_once(work) == [8, ["profiled"] * 10, ["profiled"] * 10, ["profiled"] * 10]
    with Store(settings) as store:
        assert len(store.peek(IDENTITY).baselines) == 30
        assert {run.origin for key in world.tables for run in store.results(IDENTITY).runs(key)} == {OWN}


def test_a_reader_in_the_middle_of_its_work_is_waited_for(postgres_database, sql_of, monkeypatch):
    """Each would wait for the other, if the tables were not locked in the order in which they are read."""
    monkeypatch.setattr(database, "ATTEMPTS", 1)
    sql = sql_of(postgres_database)
    fill(Earlier(sql.run, "postgresql").create())
    with Store(postgres_database) as store:
        store.upgrade()
    with sql.engine.connect() as reader, ThreadPoolExecutor(1) as pool:
        reader.execute(text("SELECT count(*) FROM profilemesh_runs_airflow"))
        adopted = pool.submit(lambda: adopt_in(postgres_database))
        deadline = monotonic() + 30
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        while not sql.count(f"pg_locks WHERE NOT granted AND {here}") and monotonic() < deadline:
            sleep(0.01)
        assert reader.execute(text("SELECT count(*) FROM profilemesh_runs")).scalar_one() == 7
        assert not adopted.done()
        reader.rollback()
        assert adopted.result(timeout=30).copied.runs == 8


def adopt_in(settings):
    with Store(settings) as store:
        return store.adopt(IDENTITY, REFS)


def test_tables_that_are_renamed_while_somebody_looks_for_them_are_looked_for_again(store, settings, monkeypatch):
    store.upgrade()
    mixed = Shape(HEAD, TableNames(runs="profilemesh_runs_airflow"), ("profilemesh_runs_airflow",), "version")
    answers = [mixed]

    def find_shape(*where):
        return answers.pop() if answers else migrate.find_shape(*where)

    # The quick look would not fall into it.
    monkeypatch.setattr("profilemesh_airflow.store.store.is_current", lambda *_: False)
    monkeypatch.setattr("profilemesh_airflow.store.store.find_shape", find_shape)
    with Store(settings) as other:
        assert other.results(IDENTITY, REFS).latest("items") is None
    assert answers == []


def test_two_threads_of_one_store_find_the_new_names_at_once(store, filled, settings, world_of):
    world = world_of(store)
    world.put("orders", "items")
    world.refresh()
    ledger = world.ledger
    claims = [ledger.claim(f"sales.{name}", "worker") for name in ("orders", "items")]
    adopt_in(settings)
    barrier = Barrier(2)

    def commit(claim):
        barrier.wait(30)
        return ledger.commit(claim, world.run_of(claim.key)).outcome

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(commit, claims)) == ["profiled"] * 2


def test_a_failure_that_no_adoption_explains_stays_that_failure(store, filled, sql):
    store.ensure()
    history = store.results(IDENTITY, REFS)
    sql.run("ALTER TABLE profilemesh_runs_airflow RENAME TO hidden")

    with pytest.raises(StoreError, match="profilemesh_runs_airflow"):
        history.latest("sales.orders")


def test_a_look_for_new_names_that_fails_is_not_looked_into(store, filled, sql, monkeypatch):
    store.ensure()
    history = store.results(IDENTITY, REFS)
    sql.run("ALTER TABLE profilemesh_runs_airflow RENAME TO hidden")
    nowhere = text("SELECT * FROM nowhere")
    monkeypatch.setattr(
        "profilemesh_airflow.store.store.find_shape", lambda connection, *_: connection.execute(nowhere)
    )

    with pytest.raises(StoreError, match="nowhere"):
        history.latest("sales.orders")


def test_a_name_that_is_taken_stops_it_before_anything_is_done(store, filled, settings, sql):
    sql.run("CREATE TABLE profilemesh_results_legacy (x INTEGER)")
    store.upgrade()
    before, tables = filled.dump(), tables_of(settings)

    with pytest.raises(StoreError, match=r"nothing was adopted.*profilemesh_results_legacy already.*--adopt"):
        store.adopt(IDENTITY, REFS)

    assert (filled.dump(), tables_of(settings)) == (before, tables)
    assert sql.count("profilemesh_runs_airflow") == 0


def test_what_cannot_be_understood_is_named_and_stays(store, filled, sql):
    filled.metric("lost", "orders", *ID, "count", "1")
    filled.metric("lost", "orders", *ID, "max", "1")
    filled.profile("silent", "orders", {ID: {"count": "1"}}, environment=None)
    filled.profile("far", "orders", {ID: {"count": "1"}}, environment="e" * 49 + "é")
    filled.profile("long", "orders", {ID: {"count": "1", "m" * 65: "1"}})
    filled.profile("nameless", "orders", {("", "TEXT"): {"count": "1"}})

    copied = store.adopt(IDENTITY, REFS).copied

    assert sorted(copied.left_out, key=lambda left: left.run_id) == [
        LeftOut("far", "sales.orders", 2, f"its run_id or its environment ({'e' * 49}é) is too long, or not ASCII"),
        LeftOut("long", "sales.orders", 1, "without a column or a metric that can be named"),
        LeftOut("lost", "sales.orders", 2, "no run row says which environment it is of"),
        LeftOut("nameless", "sales.orders", 1, "without a column or a metric that can be named"),
        LeftOut("silent", "sales.orders", 2, "no run row says which environment it is of"),
    ]
    assert (copied.runs, copied.metric_rows, copied.repeated) == (8 + 2, 18 + 1, 3)
    assert sql.count("profilemesh_results_legacy") == 18 + 3 + 7


def test_rows_of_tables_that_lost_their_constraints_are_named_or_counted_once(store, sql):
    loose = Earlier(sql.run, sql.engine.dialect.name).create(strict=False)
    loose.profile("r1", "orders", {ID: {"count": "1"}}, row_count=1)
    sql.run("INSERT INTO profilemesh_runs SELECT * FROM profilemesh_runs")
    loose.metric(None, "orders", *ID, "count", "1")
    loose.metric("r1", None, *ID, "count", "1")
    loose.metric("r1", "orders", None, None, "count", "1")
    loose.metric("r1", "orders", *ID, None, "1")
    loose.metric("r1", "items", *ID, "max", "1", at=None)

    copied = store.adopt(IDENTITY, REFS).copied

    assert (copied.runs, copied.metric_rows, copied.repeated) == (1, 1, 1)
    assert sorted(copied.left_out, key=str) == [
        LeftOut("", "sales.orders", 1, "it has no run_id"),
        LeftOut("r1", "sales.", 1, "it has no table name"),
        LeftOut("r1", "sales.items", 1, "its time cannot be read"),
        LeftOut("r1", "sales.orders", 2, "without a column or a metric that can be named"),
    ]


@pytest.mark.parametrize("limit", ["_RUNS_AT_ONCE", "_ROWS_AT_ONCE"])
def test_it_is_the_same_whether_much_or_little_is_copied_at_once(store, filled, sql, monkeypatch, limit):
    monkeypatch.setattr(legacy_copy, limit, 2)
    before = history_of(store)

    copied = store.adopt(IDENTITY, REFS).copied

    assert (copied.runs, copied.metric_rows, copied.repeated, copied.left_out) == (8, 18, 3, [])
    assert history_of(store) == before


def test_a_run_that_is_there_already_is_not_overwritten(store, filled, world_of):
    world = world_of(store)
    world.put("orders")
    world.refresh()
    world.profile("sales.orders", run_id="r2")

    (left,) = store.adopt(IDENTITY, REFS).copied.left_out

    assert left == LeftOut("r2", "sales.orders", 6, "the store has a run of this id already")
    assert store.results(IDENTITY, REFS).profile("r2", "sales.orders").origin == OWN


def test_an_adoption_that_is_killed_anywhere_leaves_the_old_state_or_the_new_one(settings, filled, sql, monkeypatch):
    with Store(settings) as store:
        store.upgrade()
        before, rows, old = history_of(store), filled.dump(), tables_of(settings)
    new = {RENAMED.get(table, table) for table in old}
    orders, runs_of_orders = before[0]

    def work():
        # Only the adoption itself; that an upgrade may be killed anywhere is shown elsewhere.
        opened = Database(settings)
        try:
            adopt.adopt(opened, TableNames(), None, IDENTITY.source, Owners(REFS))
        finally:
            opened.close()

    states = []
    for step in range(first_write(work, monkeypatch), 200):
        sql.engine.dispose()
        if not kill_at(step, work):
            break
        states.append(tables_of(settings))
        with Store(settings) as store:
            history = store.results(IDENTITY, REFS)
            assert history.latest("sales.orders") == orders
            assert history.runs("sales.orders") == [run for run, _ in runs_of_orders]
    assert len(states) > 4
    # Once MySQL has renamed there is still a lock to give back.
    assert [state for state in states if state != old] == ([new] if settings.type == "mysql" else [])
    with Store(settings) as store:
        assert history_of(store) == before
    assert replace(filled, runs="profilemesh_runs_legacy", results="profilemesh_results_legacy").dump() == rows
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (8, 18)


def first_write(work, monkeypatch) -> int:
    """The number of the first statement that is more than a question; nothing comes of it."""
    statements = []

    def stop(*_):
        raise StoreError("enough")

    def note(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    with monkeypatch.context() as patched:
        patched.setattr(adopt, "_rename", stop)
        with pytest.raises(StoreError, match="enough"):
            work()
    event.remove(Engine, "before_cursor_execute", note)
    return next(number for number, statement in enumerate(statements, 1) if statement.startswith("DELETE"))


def test_an_adoption_that_copied_but_did_not_rename_is_finished_by_the_next(store, filled, sql, monkeypatch):
    store.upgrade()
    before = history_of(store)

    def break_off(connection, *_):
        # As MySQL does by itself before it renames.
        connection.exec_driver_sql("COMMIT")
        raise StoreError("broken off")

    with monkeypatch.context() as patched:
        patched.setattr(adopt, "_rename", break_off)
        with pytest.raises(StoreError, match="broken off"):
            store.adopt(IDENTITY, REFS)
    assert sql.count("profilemesh_runs_airflow") == 8
    assert history_of(store) == before

    filled.profile("r8", "items", {ID: {"count": "5"}}, schema=None, at="2024-02-01 10:00:00")
    copied = store.adopt(IDENTITY, REFS).copied

    assert (copied.runs, copied.metric_rows, copied.left_out) == (9, 19, [])
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (9, 19)


def test_of_processes_that_adopt_at_once_one_does(settings, filled, sql):
    sql.engine.dispose()
    fork = multiprocessing.get_context("fork")
    barrier, done = fork.Barrier(4), fork.Queue()

    def one(number):
        with Store(settings) as store:
            barrier.wait(30)
            if number == 0:
                store.upgrade()
                done.put("upgraded")
            else:
                done.put("adopted" if store.adopt(IDENTITY, REFS) else "nothing")

    processes = [fork.Process(target=one, args=(number,)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(done.get(timeout=5) for _ in processes) == ["adopted", "nothing", "nothing", "upgraded"]
    assert (sql.count("profilemesh_runs"), sql.count("profilemesh_results")) == (8, 18)


def test_names_of_the_configuration_are_kept(settings, sql):
    runs, results = "r" * 63, "Old Results"
    quote = sql.engine.dialect.identifier_preparer.quote
    earlier = replace(Earlier(sql.run, sql.engine.dialect.name), runs=quote(runs), results=quote(results)).create()
    fill(earlier)

    with Store(settings, TableNames(runs=runs, results=results)) as store:
        renamed = store.adopt(IDENTITY, REFS).renamed

    assert renamed == {
        runs: "r" * 56 + "_legacy",
        results: "Old Results_legacy",
        "r" * 55 + "_airflow": runs,
        "Old Results_airflow": results,
    }
    assert (sql.count(quote(runs)), sql.count(quote(results))) == (8, 18)


def test_tables_in_a_schema_of_their_own_are_adopted_there(postgres_database, sql_of):
    schema = '100 % "odd"; :x'
    sql = sql_of(postgres_database)
    with sql.engine.begin() as connection:
        quoted = connection.dialect.identifier_preparer.quote(schema)
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
    there = replace(
        postgres_database, extra_params={"options": f"-csearch_path={quoted}".replace("%%", "%").replace(" ", "\\ ")}
    )
    fill(Earlier(sql_of(there).run, "postgresql").create())

    with Store(replace(postgres_database, schema=schema)) as store:
        assert store.adopt(IDENTITY, REFS).copied.runs == 8
        assert store.results(IDENTITY, REFS).latest("items").run_id == "r3"
    assert sql_of(there).count("profilemesh_runs") == 8


def test_what_the_ledger_was_told_before_is_not_touched(store, filled, world_of):
    world = world_of(store)
    world.settle("users")
    world.put("orders")
    world.refresh()
    before = store.peek(IDENTITY)

    store.adopt(IDENTITY, REFS)

    after = store.peek(IDENTITY)
    assert (after.entries, after.baselines) == (before.entries, before.baselines)
    assert store.ledger(IDENTITY, Policy()).claim("sales.orders", "worker")
