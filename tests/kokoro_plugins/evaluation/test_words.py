import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.evaluation.words import NOTHING, comparable, compare, most_confused


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Dr. Smith paid $42.50.", "doctor smith paid forty two dollars and fifty cents"),
        ("It's the colour of the 1990s!", "it is the color of the nineteen nineties"),
        ("We’re “going” – to Mr. O’Hara", "we are going to mister o'hara"),
        ("twenty-one", "21"),
        ("Wait… what—now", "wait what now"),
        ("  A   B\tC ", "a b c"),
        ("Hmm, well", "well"),
    ],
)
def test_texts_that_sound_alike_are_compared_alike(written, read):
    assert comparable(written) == comparable(read)


def test_other_languages_lose_marks_and_capitals_alone():
    assert comparable("Größe, 21 Euro!", "de") == "größe 21 euro"


@pytest.mark.parametrize("text", ["Fünf Äpfel", "Il était là", "пять яблок"])
def test_letters_of_other_languages_stay(text):
    assert comparable(text, "xx") == text.lower()


def distance(first, second):
    """Levenshtein's distance written out."""
    row = list(range(len(second) + 1))
    for i, mine in enumerate(first, start=1):
        before, row = row, [i]
        for j, theirs in enumerate(second, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (mine != theirs)))
    return row[-1]


WORDS = st.lists(st.sampled_from(["cat", "dog", "tree", "house"]), min_size=1, max_size=7)


@given(wanted=WORDS, heard=st.lists(st.sampled_from(["cat", "dog", "car"]), max_size=7))
@example(wanted=["cat"], heard=[])
@settings(deadline=None, max_examples=50)
def test_errors_are_the_edit_distances_of_words_and_of_characters(wanted, heard):
    errors = compare(" ".join(wanted), " ".join(heard))
    assert (errors.word_errors, errors.words) == (distance(wanted, heard), len(wanted))
    assert errors.character_errors == distance(" ".join(wanted), " ".join(heard))
    assert errors.characters == len(" ".join(wanted))


def test_confusions_are_the_runs_of_words_that_differ():
    errors = compare("the big cat sat on the mat today", "a bag cat sat the mat to day")
    assert errors.confusions == (("the big", "a bag"), ("on", NOTHING), ("today", "to day"))


def test_what_was_heard_beside_the_text_is_a_confusion_with_nothing():
    assert compare("cat", "cat dog").confusions == ((NOTHING, "dog"),)


def test_the_most_frequent_confusion_comes_first():
    errors = [compare("a cat", "a car"), compare("the cat", "the car"), compare("dog", "cat")]
    assert most_confused(errors) == [("cat", "car", 2), ("dog", "cat", 1)]


def test_a_text_without_a_word_is_refused():
    with pytest.raises(ValueError, match="'…' has no word, so nothing of it can be understood"):
        compare("…", "hello")
