"""Which files a configuration is, and what they hold."""

from __future__ import annotations

import json

from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.edits import ConfigFiles, digest_in_force
from profilemesh_airflow.usecases.edits.files import links_to


def manifest(shop, tag="nightly"):
    model = {
        "resource_type": "model",
        "name": "orders",
        "package_name": "shop",
        "original_file_path": "orders.sql",
        "schema": "main",
        "alias": "orders",
        "tags": [tag],
        "config": {},
    }
    path = shop.folder / "target" / "manifest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"nodes": {"model.shop.orders": model}}))
    return path


def test_a_look_is_what_a_refresh_calls_the_configuration_in_force(shop):
    assert ConfigFiles(shop.config).look().digest == digest_in_force(load_config(shop.config))


def test_a_manifest_of_dbt_is_part_of_the_configuration(shop):
    path = manifest(shop)
    shop.configure("users", {"dbt_selector": "tag:nightly", "dbt_project_path": "."})
    files = ConfigFiles(shop.config)
    before = files.look()
    assert {shop.config, path} <= files.entries

    manifest(shop, "hourly")
    assert files.look().digest not in (None, before.digest)
    assert files.look().digest == digest_in_force(load_config(shop.config))
    path.unlink()
    assert files.look().digest not in (None, before.digest)


def test_what_was_saved_in_half_is_no_digest_and_what_is_wrong_as_a_whole_is(shop):
    files = ConfigFiles(shop.config)
    whole = shop.config.read_text()
    for half in (whole + "tables: [", "", "environ", "\udc80"):
        shop.config.write_bytes(half.encode("utf-8", "surrogateescape"))
        assert files.look().digest is None
        assert str(shop.config) in str(files.look().trouble)
    shop.config.unlink()
    assert "there is no such file" in str(files.look().trouble)
    shop.config.write_text(whole.replace("environment: test", "environment: a b"))
    assert files.look().digest is not None


def test_the_links_on_the_way_to_a_file_are_watched_too(tmp_path):
    """As a mounted directory of Kubernetes is, and a checkout that is put in another's place."""
    (tmp_path / "..2024").mkdir()
    (tmp_path / "..2024" / "config.yml").touch()
    (tmp_path / "..data").symlink_to("..2024")
    (tmp_path / "config.yml").symlink_to("..data/config.yml")

    assert {tmp_path / "config.yml", tmp_path / "..data", tmp_path / "..2024" / "config.yml"} <= links_to(
        tmp_path / "config.yml"
    )


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert tmp_path / "a" in links_to(tmp_path / "a")
