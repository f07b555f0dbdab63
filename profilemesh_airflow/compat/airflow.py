"""Airflow's public names, as Airflow 3 spells them."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetAlias, BaseHook, BaseOperator, Param, get_parsing_context
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

__all__ = [
    "DAG",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "Asset",
    "AssetAlias",
    "BaseHook",
    "BaseOperator",
    "Param",
    "get_parsing_context",
]
