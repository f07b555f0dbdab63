"""What Airflow is told about the provider, held against the installed Airflow's own rules."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
from pathlib import Path

import pytest

from profilemesh_airflow import ProfileMeshHook, __version__
from profilemesh_airflow.compat import airflow
from profilemesh_airflow.compat.capabilities import NOTIFIERS
from profilemesh_airflow.get_provider_info import get_provider_info
from profilemesh_airflow.hooks.form import CONN_FIELDS

INFO = get_provider_info()


def providers_manager():
    manager = importlib.import_module("airflow.providers_manager").ProvidersManager()
    manager.initialize_providers_hooks()
    return manager


def schema(name):
    return json.loads(Path(importlib.import_module("airflow").__file__).with_name(name).read_text(encoding="utf-8"))


def importable(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_the_metadata_are_valid_by_the_installed_airflows_schema():
    jsonschema = pytest.importorskip("jsonschema")
    found = list(jsonschema.Draft7Validator(schema("provider_info.schema.json")).iter_errors(INFO))
    assert [error.message for error in found] == []


def test_every_class_and_module_that_is_named_can_be_imported():
    for kind in INFO["connection-types"]:
        assert importable(kind["hook-class-name"]) is ProfileMeshHook
    for uri in INFO["asset-uris"]:
        assert callable(importable(uri["handler"]))
    for path in INFO["notifications"] + INFO["extra-links"]:
        assert importable(path)
    names = {integration["integration-name"] for integration in INFO["integrations"]}
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO.get(kind, ()):
            assert entry["integration-name"] in names
            for module in entry["python-modules"]:
                importlib.import_module(module)


@pytest.mark.parametrize(
    ("folder", "key", "base"),
    [
        ("operators", "operators", airflow.BaseOperator),
        ("sensors", "sensors", airflow.BaseSensorOperator),
        ("triggers", "triggers", airflow.BaseTrigger),
    ],
)
def test_every_module_with_such_a_class_of_ours_is_named(folder, key, base):
    package = importlib.import_module(f"profilemesh_airflow.{folder}")
    found = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        classes = [each for each in vars(importlib.import_module(module.name)).values() if isinstance(each, type)]
        own = [each for each in classes if each.__module__ == module.name and issubclass(each, base)]
        found |= {module.name} if own else set()
    bases = {"profilemesh_airflow.operators.base"}
    assert found - bases == {name for entry in INFO[key] for name in entry["python-modules"]}


def test_airflow_2_and_3_each_find_the_uris_under_their_key():
    assert INFO["asset-uris"] == INFO["dataset-uris"]


def test_airflow_knows_the_provider_its_connection_type_and_its_notifier():
    manager = providers_manager()
    assert manager.providers["profilemesh-airflow"].version == __version__
    hook = manager.hooks["profilemesh"]
    assert (hook.hook_name, hook.connection_id_attribute_name, hook.package_name, hook.connection_testable) == (
        "ProfileMesh",
        "profilemesh_conn_id",
        "profilemesh-airflow",
        True,
    )
    if NOTIFIERS.available and hasattr(manager, "notification"):
        assert any("ProfileMeshNotifier" in str(notification) for notification in manager.notification)


def test_the_form_has_its_fields_and_a_token_is_typed_unseen():
    manager = providers_manager()
    if not manager.connection_form_widgets and not importlib.util.find_spec("wtforms"):
        pytest.skip("this Airflow has no form library, and reads the fields from the metadata alone")
    fields = {f"extra__profilemesh__{name}" for name in CONN_FIELDS}
    assert fields <= set(manager.connection_form_widgets)
    assert manager.field_behaviours["profilemesh"]["relabeling"]["host"] == "Airflow address"


def test_the_metadata_and_the_form_of_before_say_the_same():
    for library in ("wtforms", "flask_appbuilder", "flask_babel"):
        pytest.importorskip(library)
    widgets = ProfileMeshHook.get_connection_form_widgets()
    assert list(widgets) == list(CONN_FIELDS)
    kinds = {name: widget.field_class.__name__ for name, widget in widgets.items()}
    assert kinds == {"config_path": "StringField", "environment": "StringField", "token": "PasswordField"}


def test_the_behaviour_of_the_fields_is_valid_by_airflows_schema():
    jsonschema = pytest.importorskip("jsonschema")
    rules = schema("customized_form_field_behaviours.schema.json")
    jsonschema.validate(ProfileMeshHook.get_ui_field_behaviour(), rules)
