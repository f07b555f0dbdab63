from __future__ import annotations


def test_an_upgrade_makes_the_tables_once(shop):
    first = shop.run("store", "upgrade")
    second = shop.run("store", "upgrade")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.startswith(f"sqlite file {shop.store}: schema none -> ")
    assert second.stdout.endswith(", up to date\n")


def test_an_upgrade_as_json_says_before_and_after(shop):
    document = shop.answer("store", "upgrade")

    assert list(document) == ["store", "before", "after"]
    assert (document["store"], document["before"]) == (f"sqlite file {shop.store}", None)
    assert shop.answer("store", "upgrade")["before"] == document["after"]


def test_a_store_that_must_not_be_made_by_itself_is_made_by_an_upgrade(shop):
    storage = {**shop.sections["storage"], "create_tables": False}
    shop.configure("orders", storage=storage)

    refused = shop.run("profile")
    assert refused.exit_code == 1
    assert "run `profilemesh-airflow store upgrade`" in refused.stderr

    assert shop.run("store", "upgrade").exit_code == 0
    assert shop.run("profile").exit_code == 0
