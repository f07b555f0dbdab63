"""The trigger behind the configuration's asset."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from profilemesh_airflow.compat.capabilities import WATCHERS
from profilemesh_airflow.exceptions import StoreUnavailableError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.usecases.edits import ConfigFiles
from tests.capable import needs
from tests.operators.tasks import refresh

pytestmark = needs(WATCHERS)

PATIENCE = 60


class State(dict):
    """Of an asset, as Airflow 3.3 gives it to a trigger."""

    async def aget(self, key):
        return self.get(key)

    async def aset(self, key, value):
        self[key] = value


def trigger_of(shop, state=None):
    from profilemesh_airflow.triggers.config_file import ConfigFileTrigger

    trigger = ConfigFileTrigger(str(shop.config), 0.1)
    trigger.asset_state_store = state
    return trigger


def digest(shop):
    return ConfigFiles(Path(shop.config)).look().digest


def first_told(shop, edit=None, state=None):
    """The digest that a trigger which starts now tells of first; with an edit, made when it has begun."""

    async def story():
        events = trigger_of(shop, state).run()
        task = asyncio.ensure_future(events.__anext__())
        if edit is not None:
            await asyncio.wait({task}, timeout=3)
            edit()
        event = await asyncio.wait_for(task, PATIENCE)
        later = asyncio.ensure_future(events.__anext__())
        await asyncio.wait({later}, timeout=0.5)
        assert not later.done()
        later.cancel()
        await asyncio.wait({later})
        await events.aclose()
        return event.payload["digest"]

    return asyncio.run(story())


def comment(shop):
    path = Path(shop.config)
    path.write_text(path.read_text() + "# edited\n")


def test_a_configuration_that_was_never_refreshed_is_told_of(shop):
    assert first_told(shop) == digest(shop)


def test_one_that_was_refreshed_is_not_told_of_again_and_its_edit_is(shop):
    refresh(shop)
    assert first_told(shop, lambda: comment(shop)) == digest(shop)


def test_an_edit_that_nobody_saw_is_told_of_at_the_start(shop):
    refresh(shop)
    comment(shop)
    assert first_told(shop) == digest(shop)


@pytest.mark.parametrize("params", [{"dry_run": True}, {"tables": ["orders"]}])
def test_a_look_at_some_tables_alone_is_no_refresh_of_the_configuration(shop, params):
    refresh(shop)
    comment(shop)
    refresh(shop, **params)
    assert first_told(shop) == digest(shop)


def test_where_the_store_cannot_be_read_the_state_of_the_asset_is_what_is_known(shop, monkeypatch):
    def away(_):
        raise StoreUnavailableError("away")

    monkeypatch.setattr(ProfileMeshHook, "last_refreshed", away)
    state = State()
    assert first_told(shop, state=state) == digest(shop)
    assert state == {"configuration": digest(shop)}
    assert first_told(shop, lambda: comment(shop), state) == digest(shop)


def test_its_identity_is_plain_data_without_a_secret(shop):
    path, arguments = trigger_of(shop).serialize()
    assert path.rpartition(".")[2] == type(trigger_of(shop)).__name__
    assert json.loads(json.dumps(arguments)) == {
        "config_path": str(shop.config),
        "debounce": 0.1,
        "observer": "auto",
        "interval": 5.0,
    }
    assert type(trigger_of(shop))(**arguments).serialize() == (path, arguments)
