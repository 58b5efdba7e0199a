import numpy as np
import pytest

from kokoro_plugins.evaluation.measuring import Listener
from kokoro_plugins.evaluation.memory import Memory
from kokoro_plugins.evaluation.rendition import Rendition
from tests.kokoro_plugins.evaluation.conftest import Loudness, Scripted


def sound(value, rate=16000):
    return Rendition(np.full(100, value, dtype=np.float32), rate)


def test_what_was_heard_is_not_listened_to_again_in_another_process(tmp_path):
    for expected in (1, 0):
        recognizer = Scripted("a cat")
        memory = Memory(tmp_path / "heard.jsonl")
        listener = Listener(recognizer=recognizer, rater=Loudness(), memory=memory)
        for _ in range(2):
            errors = listener.text_errors("A dog.", sound(0.5))
            assert errors is not None
            assert (errors.heard, listener.mark(sound(0.5))) == ("a cat", 0.5)
        assert len(recognizer.calls) == expected


def test_another_sound_rate_or_listener_is_another_question():
    memory = Memory()
    memory.keep("one", sound(0.5), "hello")
    assert memory.get("one", sound(0.5)) == "hello"
    assert memory.get("one", sound(0.25)) is None
    assert memory.get("one", sound(0.5, 8000)) is None
    assert memory.get("other", sound(0.5)) is None


def test_a_line_that_was_not_written_whole_is_left_out(tmp_path):
    file = tmp_path / "heard.jsonl"
    Memory(file).keep("one", sound(0.5), 3.25)
    whole = file.read_bytes()
    Memory(file).keep("one", sound(0.1), "later")
    file.write_bytes(whole + b'["abc", "no')
    again = Memory(file)
    assert (again.get("one", sound(0.5)), again.get("one", sound(0.1))) == (3.25, None)


def test_an_answer_after_a_torn_line_is_read_again_with_all_before_it(tmp_path):
    file = tmp_path / "heard.jsonl"
    Memory(file).keep("one", sound(0.5), 3.25)
    whole = file.read_bytes()
    file.write_bytes(whole + b'["abc", "no')
    again = Memory(file)
    again.keep("one", sound(0.1), "later")
    again.keep("one", sound(0.2), "last")
    reopened = Memory(file)
    heard = [reopened.get("one", sound(each)) for each in (0.5, 0.1, 0.2)]
    assert heard == [3.25, "later", "last"]
    assert file.read_bytes().startswith(whole + b'["')
    assert b"abc" not in file.read_bytes()


@pytest.mark.parametrize("text", ["Dear diary\n", "Dear diary", "[1, 2]"])
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    file = tmp_path / "notes.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="must be a file that `--remember` made before"):
        Memory(file)
    assert file.read_text(encoding="utf-8") == text
