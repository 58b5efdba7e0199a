"""What is kept, what is removed, and what nobody may remove."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.durable import StepFolder
from kokoro_core.durable.keeping import Keeping
from kokoro_core.errors import CheckpointError


def save(folder: StepFolder, step: int, score: float | None = None, text: str = "") -> Path:
    def write(path: Path) -> None:
        (path / "model.safetensors").write_text(text or f"weights of {step}")

    return folder.save(step, write, facts={"step": step}, score=score).path


def numbers(folder: StepFolder) -> list[int]:
    return [each.number for each in folder.steps()]


def newest_of(folder: StepFolder) -> tuple[int | None, list[str]]:
    said: list[str] = []
    found = folder.newest(said.append)
    return found.number if found else None, said


@pytest.mark.parametrize("keep_last", [1, 2, 3, 7])
def test_the_last_ones_are_kept(tmp_path: Path, keep_last: int) -> None:
    folder = StepFolder(tmp_path, keep_last=keep_last)
    for step in range(1, 6):
        save(folder, step)
        assert numbers(folder) == list(range(1, step + 1))[-keep_last:]


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=2)
    for step in (8, 9, 10, 99, 100, 999_999_999, 1_000_000_000):
        save(folder, step)
    assert numbers(folder) == [999_999_999, 1_000_000_000]
    assert newest_of(folder) == (1_000_000_000, [])


def test_nine_and_ten_stand_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    for step in (9, 10):
        save(folder, step)
    names = sorted(each for each in os.listdir(tmp_path) if each.startswith("step"))
    assert names == ["step-000000009", "step-000000010"]


@given(
    scores=st.lists(st.one_of(st.none(), st.integers(-3, 3).map(float)), min_size=1, max_size=12),
    last=st.integers(1, 4),
    best=st.integers(0, 4),
    lower=st.booleans(),
)
@example(scores=[None], last=1, best=3, lower=True)
@example(scores=[1.0, 1.0, 1.0, 1.0], last=1, best=1, lower=False)
def test_what_is_kept_are_the_last_and_the_best_by_a_plain_count(
    scores: list[float | None], last: int, best: int, lower: bool
) -> None:
    kept = Keeping(last, best, lower).kept(list(enumerate(scores)))
    for number, score in enumerate(scores):
        later = len(scores) - 1 - number
        better = sum(
            1
            for other, value in enumerate(scores)
            if value is not None
            and score is not None
            and ((value < score if lower else value > score) or (value == score and other < number))
        )
        assert (number in kept) == (later < last or (score is not None and better < best))


def test_the_best_step_stays_while_the_last_ones_go_by(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=1, keep_best=1)
    for step, score in enumerate([0.9, 0.2, 0.5, 0.4, 0.3]):
        save(folder, step, score)
    assert numbers(folder) == [1, 4]
    assert newest_of(folder)[0] == 4  # the best is kept, and the newest is what is gone on from


def test_a_higher_score_can_be_the_better_one(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=1, keep_best=2, lower_is_better=False)
    for step, score in enumerate([0.9, 0.2, 0.5, None, 0.3]):
        save(folder, step, score)
    assert numbers(folder) == [0, 2, 4]


def test_a_step_without_a_score_is_no_best_one(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=1, keep_best=3)
    for step in range(4):
        save(folder, step)
    assert numbers(folder) == [3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"keep_last": 0}, "`keep_last` must be a whole number of at least 1, not 0"),
        ({"keep_last": -1}, "`keep_last` must be a whole number of at least 1, not -1"),
        ({"keep_last": True}, "`keep_last` must be a whole number of at least 1, not True"),
        ({"keep_last": 1.0}, "`keep_last` must be a whole number of at least 1, not 1.0"),
        ({"keep_best": -1}, "`keep_best` must be a whole number of at least 0, not -1"),
    ],
    ids=["none", "negative", "bool", "float", "negative-best"],
)
def test_a_rule_that_keeps_nothing_is_refused(
    tmp_path: Path, settings: Mapping[str, int], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        StepFolder(tmp_path, **settings)  # type: ignore[arg-type]


def test_the_same_content_saved_twice_is_one_step(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    path = save(folder, 5, 0.5)
    before = {each: (path / each).stat() for each in os.listdir(path)}
    assert save(folder, 5, 0.5) == path
    assert {each: (path / each).stat() for each in os.listdir(path)} == before


@pytest.mark.parametrize(("score", "text"), [(0.5, "other"), (0.6, ""), (None, "")])
def test_a_whole_step_is_never_replaced_by_another(
    tmp_path: Path, score: float | None, text: str
) -> None:
    folder = StepFolder(tmp_path)
    save(folder, 5, 0.5)
    with pytest.raises(CheckpointError, match="step 5 is saved already, with different content"):
        save(folder, 5, score, text)
    assert newest_of(folder) == (5, [])
    assert (tmp_path / "step-000000005/model.safetensors").read_text() == "weights of 5"


def test_a_damaged_step_gives_way_to_the_same_one_saved_again(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    (save(folder, 5) / "model.safetensors").write_text("weights of 6")
    save(folder, 5)
    assert newest_of(folder) == (5, [])
    aside = tmp_path / "set-aside-step-000000005/model.safetensors"
    assert aside.read_text() == "weights of 6"


def test_what_stands_where_a_step_belongs_is_set_aside_and_not_lost(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    for number in ("", "-2"):
        (tmp_path / "step-000000005").write_text(f"a file{number}")
        save(folder, 5)
        assert (tmp_path / f"set-aside-step-000000005{number}").read_text() == f"a file{number}"
        shutil.rmtree(tmp_path / "step-000000005")


def test_a_step_before_one_that_is_whole_is_refused(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    save(folder, 10)
    with pytest.raises(
        CheckpointError, match="step 10 is saved already; 9 would not be the newest"
    ):
        save(folder, 9)
    assert numbers(folder) == [10]


def test_a_step_before_one_that_is_damaged_can_be_saved(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path)
    save(folder, 8)
    (save(folder, 10) / "model.safetensors").write_text("Weights of 10")
    save(folder, 9)
    number, said = newest_of(folder)
    assert number == 9
    assert len(said) == 1


def test_going_on_from_an_earlier_step_takes_the_later_ones_away(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=5)
    for step in (1, 2, 3, 4):
        save(folder, step)
    (tmp_path / "step-000000003/notes.txt").write_text("mine")
    assert [each.number for each in folder.discard_after(2)] == [3, 4]
    assert numbers(folder) == [1, 2]
    assert (tmp_path / "set-aside-step-000000003/notes.txt").read_text() == "mine"
    save(folder, 3, text="on another way")
    assert newest_of(folder) == (3, [])


def test_going_on_from_a_damaged_step_takes_nothing_away(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=5)
    for step in (1, 2):
        save(folder, step)
    (tmp_path / "step-000000001/model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"step-000000001` is not intact"):
        folder.discard_after(1)
    with pytest.raises(CheckpointError, match=r"step-000000007` does not exist"):
        folder.discard_after(7)
    assert numbers(folder) == [1, 2]


FOREIGN = {
    "notes.txt": "a note",
    "step-1": "no name of ours",
    "step-000000001.bak": "a copy",
    "step-0000000001": "a digit too many",
    "step-٠٠٠٠٠٠٠٠١": "digits of another script",
    "Step-000000001": "another case",
    ".tmp": "short",
    ".tmp-step-1": "shorter than ours",
    ".tmp-step-notapid-1-00000000-0": "no process",
    "events.out.tfevents.123": "of another program",
}


@pytest.mark.parametrize("name", FOREIGN, ids=ascii)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, name: str, kind: str) -> None:
    folder, path = StepFolder(tmp_path, keep_last=1), tmp_path / name
    if kind == "folder":
        path.mkdir()
        path = path / "inside"
    path.write_text(FOREIGN[name])
    for step in (1, 2, 3):
        save(folder, step)
    assert path.read_text() == FOREIGN[name]
    assert newest_of(folder) == (3, [])


def test_a_step_with_a_file_of_somebody_else_is_kept_whole(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=1)
    (save(folder, 1) / "keep.txt").write_text("the one for the paper")
    for step in (2, 3):
        save(folder, step)
    assert numbers(folder) == [1, 3]
    folder.steps()[0].verify()


def test_a_damaged_step_is_left_to_be_looked_at_and_counts_for_nothing(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=2)
    for step in (1, 2):
        save(folder, step)
    (tmp_path / "step-000000002/manifest.json").write_text("{}")
    for step in (3, 4):
        save(folder, step)
    assert numbers(folder) == [2, 3, 4]


def test_the_only_whole_step_survives_any_number_of_saves_that_fail(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=1)
    save(folder, 1)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for step in (2, 3, 4):
        with (
            patch("kokoro_core.durable.sealing.write_new", side_effect=full),
            pytest.raises(
                CheckpointError, match=rf"step-00000000{step}.*No space left.*bytes free"
            ),
        ):
            save(folder, step)
    assert newest_of(folder) == (1, [])
    assert sorted(os.listdir(tmp_path)) == [".lock", "step-000000001"]


def test_the_clock_plays_no_part(tmp_path: Path) -> None:
    folder = StepFolder(tmp_path, keep_last=2)
    for step in (1, 2, 3):
        os.utime(save(folder, step), (4_000_000_000 - step, 4_000_000_000 - step * 10**6))
    assert numbers(folder) == [2, 3]
    assert newest_of(folder) == (3, [])


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    paths = [save(StepFolder(tmp_path / each), 7, 0.25) for each in "ab"]
    first, second = ({each.name: each.read_bytes() for each in path.iterdir()} for path in paths)
    assert first == second
