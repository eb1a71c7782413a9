"""Marks: each is made once, whichever process makes it, and nobody else on the machine has a say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voiceflow.security import marks as module
from voiceflow.security.marks import KEPT, KEPT_OF_MANY, SWEEP_EVERY, SharedMarks, remove_left_behind


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def names(marks: SharedMarks) -> set[str]:
    return set(os.listdir(marks.folder)) - {"owner"}


def test_the_first_text_of_a_mark_stays() -> None:
    one, other = SharedMarks(b"key"), SharedMarks(b"key")
    assert one.get("a") is None
    assert one.put("a", "first") == "first"
    assert other.put("a", "second") == one.put("a", "third") == other.get("a") == "first"


def test_a_mark_is_claimed_once() -> None:
    one, other = SharedMarks(b"key"), SharedMarks(b"key")
    assert [one.claim("a"), other.claim("a"), one.claim("a"), other.claim("b")] == [True, False, False, True]


def test_those_with_another_key_do_not_share_marks() -> None:
    assert SharedMarks(b"key").claim("a")
    assert SharedMarks(b"other").claim("a")


def test_those_who_share_a_folder_have_one_owner() -> None:
    assert SharedMarks(b"key").owner() == SharedMarks(b"key").owner() != SharedMarks(b"other").owner()


def test_a_folder_that_was_tidied_away_is_made_again_with_another_owner() -> None:
    marks = SharedMarks(b"key")
    before = marks.owner()
    marks.remove()
    assert marks.owner() != before


CLAIM = """
import sys
from voiceflow.security.marks import SharedMarks
import tempfile
tempfile.tempdir = sys.argv[1]
marks = SharedMarks(b"key")
print("ready", flush=True)
sys.stdin.readline()
print(sum(marks.claim(str(number)) for number in range(300)), marks.owner())
"""


def test_of_processes_that_claim_the_same_at_once_each_mark_goes_to_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIM, str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sum(int(claimed) for claimed, _ in said) == 300
    assert len({owner for _, owner in said}) == 1


# Other users of the machine


def test_only_its_user_can_enter_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        SharedMarks(b"key").claim("a")
    finally:
        os.umask(before)
    assert SharedMarks(b"key").folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777, 0o1777])
def test_a_folder_that_is_open_to_others_is_not_used(mode: int) -> None:
    SharedMarks(b"key").folder.mkdir()
    SharedMarks(b"key").folder.chmod(mode)
    with pytest.raises(PermissionError, match="open to others"):
        SharedMarks(b"key").claim("a")
    assert names(SharedMarks(b"key")) == set()


def test_a_folder_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = SharedMarks(b"key")
    marks.claim("a")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        marks.claim("b")
    assert names(marks) == {"a"}


def test_neither_a_link_nor_a_file_is_taken_for_the_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    marks = SharedMarks(b"key")
    for target in (elsewhere, tmp_path / "nowhere"):
        marks.folder.symlink_to(target)
        with pytest.raises(OSError, match="voiceflow-"):
            marks.claim("a")
        marks.folder.unlink()
    marks.folder.write_text("")
    with pytest.raises(OSError, match="voiceflow-"):
        marks.claim("a")
    assert list(elsewhere.iterdir()) == []


# How long marks are kept


def test_marks_are_kept_for_their_time_and_do_not_pile_up() -> None:
    clock = Clock()
    marks = SharedMarks(b"key", clock=clock)
    step = KEPT / 50
    for number in range(200):
        marks.claim(str(number))
        kept = int(KEPT / step)
        assert {str(each) for each in range(max(0, number - kept + 1), number + 1)} <= names(marks)
        assert len(names(marks)) <= kept + SWEEP_EVERY // step + 3
        clock.now += step


def test_of_many_marks_the_old_ones_are_removed_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY", 20)
    clock = Clock()
    marks = SharedMarks(b"key", clock=clock)
    for number in range(100):
        marks.claim(str(number))
        assert {str(each) for each in range(max(0, number - 9), number + 1)} <= names(marks)
        assert len(names(marks)) <= 22
        clock.now += KEPT_OF_MANY / 10


def test_a_wall_clock_that_is_set_forward_removes_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    marks = SharedMarks(b"key", clock=clock)
    marks.claim("a")
    monkeypatch.setattr(module.time, "time", lambda wall=time.time: wall() + 10 * KEPT)
    clock.now += SWEEP_EVERY
    marks.claim("b")
    assert names(marks) == {"a", "b"}


def test_marks_that_are_old_when_a_process_begins_are_removed() -> None:
    marks = SharedMarks(b"key")
    for name in ("old", "young"):
        marks.claim(name)
    before = time.time() - KEPT - 1
    os.utime(marks.folder / "old", (before, before), follow_symlinks=False)
    SharedMarks(b"key").claim("new")
    assert names(marks) == {"young", "new"}


def test_folders_that_were_left_behind_are_removed_and_nothing_else(tmp_path: Path) -> None:
    left, used = SharedMarks(b"left"), SharedMarks(b"used")
    for marks in (left, used):
        marks.claim("a")
    others = [tmp_path / name for name in ("voiceflow-0", "voiceflow-" + "x" * 32, "somebody's")]
    for other in others:
        other.mkdir()
    link = tmp_path / ("voiceflow-" + "0" * 32)
    link.symlink_to(others[2])
    before = time.time() - KEPT - 1
    for path in (left.folder, *others, link):
        os.utime(path, (before, before), follow_symlinks=False)
    remove_left_behind()
    assert set(tmp_path.iterdir()) == {used.folder, *others, link}
