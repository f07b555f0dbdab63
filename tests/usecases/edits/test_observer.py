"""On which file systems files have to be looked at again and again."""

from __future__ import annotations

import logging

import pytest
from watchdog.observers import Observer

from profilemesh_airflow.usecases.edits import observer as module
from profilemesh_airflow.usecases.edits.observer import FileObserver, is_remote

MOUNTS = r"""
overlay / overlay rw 0 0
proc /proc proc rw 0 0
server:/dags /opt/dags nfs4 rw,relatime 0 0
tmpfs /opt/dags/local tmpfs rw 0 0
//nas/share /mnt/my\040share cifs rw 0 0
s3fs /mnt/bucket fuse.s3fs rw 0 0
/dev/sdb /mnt/twice ext4 rw 0 0
server:/x /mnt/twice nfs rw 0 0
""".strip()


@pytest.mark.parametrize(
    ("folder", "remote"),
    [
        ("/etc", False),
        ("/opt/dags", True),
        ("/opt/dags/team/a", True),
        ("/opt/dags2", False),
        ("/opt/dags/local/a", False),
        ("/mnt/my share/a", True),
        ("/mnt/bucket", True),
        ("/mnt/twice", True),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(tmp_path, folder, remote):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert is_remote(folder, mounts) is remote


def test_where_the_system_does_not_tell_of_mounts_it_is_taken_to_be_local(tmp_path):
    assert not is_remote(tmp_path, tmp_path / "nowhere")


def test_without_inotify_files_are_looked_at_and_it_is_said(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(Observer, "start", full)
    watcher = FileObserver(lambda: None, "native", 0.1)
    with caplog.at_level(logging.WARNING):
        assert watcher.watch([tmp_path / "config.yml"])
    watcher.stop()
    assert "inotify instance limit reached" in caplog.text
    assert "airflow.watch.observer: polling" in caplog.text


def test_a_folder_that_is_not_there_yet_is_watched_later(tmp_path):
    watcher = FileObserver(lambda: None)
    file = tmp_path / "later" / "config.yml"
    assert not watcher.watch([file])
    file.parent.mkdir()
    assert watcher.watch([file])
    assert not watcher.watch([file])
    watcher.stop()


def test_what_is_on_a_network_is_polled(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "is_remote", lambda _: True)
    watcher = FileObserver(lambda: None, "auto", 0.1)
    watcher.watch([tmp_path / "config.yml"])
    assert isinstance(watcher._observer, module.PollingObserver)
    watcher.stop()
