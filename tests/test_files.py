"""Files are written whole or not at all, and a refusal is one line that says what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gencli.errors import GencliError, ModelFileError, OptionError
from gencli.files import check_writable, write_atomically


def names_in(folder):
    """The names of a folder's files, hidden ones too."""
    return [path.name for path in folder.iterdir()]


def full_disk(_):
    """What os.fsync does where no space is left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "a.bin"
    write_atomically(path, b"first")
    write_atomically(path, b"second, longer")
    assert path.read_bytes() == b"second, longer"
    assert names_in(tmp_path) == ["a.bin"]


def test_the_data_is_on_disk_before_the_name_is(tmp_path, monkeypatch):
    path, seen = tmp_path / "a.bin", []

    def spy(descriptor):
        seen.append((path.exists(), os.fstat(descriptor).st_size if not path.exists() else None))

    monkeypatch.setattr(os, "fsync", spy)
    write_atomically(path, b"12345")
    assert seen == [(False, 5), (True, None)]  # the whole file, then the folder


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ModelFileError) as caught:
        write_atomically(path, b"new", ModelFileError)
    assert str(caught.value) == f"{path}: cannot be written (No space left on device); name another place with -o"
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(*((os, "fsync") if moment == "fsync" else (Path, "replace")), interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.bin"]


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch):
    # The second call is the folder's: some systems refuse it.
    calls = iter([lambda: None, lambda: full_disk(0)])
    monkeypatch.setattr(os, "fsync", lambda _: next(calls)())
    write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_missing_folder_is_told_in_one_line(tmp_path):
    path = tmp_path / "nowhere" / "a.bin"
    with pytest.raises(GencliError) as caught:
        write_atomically(path, b"new")
    assert str(caught.value) == f"{path}: cannot be written (No such file or directory); name another place with -o"
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [("", "is a folder; name a file"), ("nowhere/a.bin", "make it first"), ("file/a.bin", "make it first")],
)
def test_what_cannot_be_written_is_known_before(tmp_path, name, told):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OptionError) as caught:
        check_writable(tmp_path / name, OptionError)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ")
    assert told in message
    assert "\n" not in message
    assert names_in(tmp_path) == ["file"]


def test_a_closed_folder_is_known_before(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(GencliError, match=r"a\.bin: cannot be written \(Permission denied\); name another place"):
        check_writable(tmp_path / "a.bin")


def test_a_name_too_long_for_the_disk_is_known_before(tmp_path):
    path = tmp_path / ("x" * 300)
    with pytest.raises(GencliError, match="cannot be written"):
        check_writable(path)
    assert names_in(tmp_path) == []


def test_a_name_too_long_for_the_disk_leaves_nothing_when_written(tmp_path):
    with pytest.raises(GencliError, match="cannot be written"):
        write_atomically(tmp_path / ("x" * 300), b"new")
    assert names_in(tmp_path) == []


def test_the_longest_name_the_disk_takes_can_be_written(tmp_path):
    path = tmp_path / ("x" * 255)
    check_writable(path)
    write_atomically(path, b"new")
    assert names_in(tmp_path) == [path.name]


def test_checking_touches_nothing(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    check_writable(tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.bin"]
