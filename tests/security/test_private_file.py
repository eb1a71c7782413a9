"""Files that only their owner can read, in folders where others may have been first."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from voiceflow.security.private_file import make_private, replace_private


def test_a_new_file_can_be_read_by_its_owner_alone_and_takes_the_place_of_none(tmp_path: Path) -> None:
    file = tmp_path / "key"
    make_private(file, b"secret")
    assert file.read_bytes() == b"secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        make_private(file, b"another")
    assert file.read_bytes() == b"secret"


def test_what_is_replaced_stays_private_and_its_folder_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "address"
    for text in ("first", "second"):
        replace_private(file, text)
        assert file.read_text() == text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [each.name for each in file.parent.iterdir()] == ["address"]
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["address", "address.new"])
def test_no_link_leads_what_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    target, folder = tmp_path / "target", tmp_path / "folder"
    target.write_text("untouched")
    folder.mkdir(mode=0o700)
    (folder / name).symlink_to(target)
    replace_private(folder / "address", "text")
    assert target.read_text() == "untouched"
    assert (folder / "address").read_text() == "text"


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_nothing_is_written_into_a_folder_that_others_can_enter(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PermissionError, match="open to others"):
        replace_private(folder / "address", "text")
    assert list(folder.iterdir()) == []
