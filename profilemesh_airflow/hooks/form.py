"""The form of a ``profilemesh`` connection, in the two ways in which Airflow asks for it."""

from __future__ import annotations

from typing import Any

CONN_TYPE = "profilemesh"
HOOK_NAME = "ProfileMesh"

_PASSWORD = "password"

#: The fields beside Airflow's usual ones, as Airflow 3.2 and later read them. They are kept in the connection's extra.
CONN_FIELDS: dict[str, dict[str, Any]] = {
    "config_path": {
        "label": "Configuration",
        "description": "Path of the ProfileMesh configuration, as the workers see it.",
        "schema": {"type": ["string", "null"]},
    },
    "environment": {
        "label": "Environment",
        "description": "The environment of a configuration that names none.",
        "schema": {"type": ["string", "null"]},
    },
    "token": {
        "label": "API token",
        "description": "A bearer token of Airflow's REST API, in place of login and password.",
        "schema": {"type": ["string", "null"], "format": _PASSWORD},
    },
}

#: What becomes of the usual ones, in that spelling.
UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": [],
    "relabeling": {
        "host": "Airflow address",
        "schema": "Scheme (https, http)",
        "login": "Airflow login",
        "password": "Airflow password",
    },
    "placeholders": {
        "host": "https://airflow.example.com, if its REST API is to be asked",
        "config_path": "/opt/airflow/config.yml",
        "environment": "production",
    },
}


def widgets() -> dict[str, Any]:
    """The same fields for the form of Airflow 2 and of 3.0 and 3.1.

    :raises ImportError: the libraries of that form are not installed, as in Airflow 3 without its FAB provider; Airflow
        goes on without a form then.
    """
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import PasswordField, StringField

    def field(given: dict[str, Any]) -> Any:
        secret = given["schema"].get("format") == _PASSWORD
        kind, widget = (PasswordField, BS3PasswordFieldWidget) if secret else (StringField, BS3TextFieldWidget)
        return kind(lazy_gettext(given["label"]), widget=widget(), description=given["description"])

    return {name: field(given) for name, given in CONN_FIELDS.items()}


def behaviour() -> dict[str, Any]:
    """What becomes of the usual fields, as that form takes it."""
    return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}
