import pytest

from kokoro_plugins.evaluation.sentences import (
    Sentence,
    check_names,
    choose,
    held_out_sentences,
    part_of,
    read_texts,
)

MANY = [Sentence(f"s{number}", f"Sentence number {number}.") for number in range(200)]


def names(sentences):
    return [each.name for each in sentences]


def test_the_two_parts_share_no_sentence_and_leave_none_out():
    choosing, reporting = choose(MANY, "choosing", None), choose(MANY, "reporting", None)
    assert sorted(names(choosing) + names(reporting)) == sorted(names(MANY))
    assert 70 <= len(choosing) <= 130


def test_the_part_of_a_sentence_stays_when_others_come_or_go():
    few = choose(MANY[::3], "choosing", None)
    assert set(names(few)) == {each.name for each in MANY[::3] if part_of(each.text) == "choosing"}


def test_the_part_follows_from_the_text_in_any_form_and_not_from_the_name():
    assert part_of("Café No. 7") == part_of("Cafe\N{COMBINING ACUTE ACCENT} No. 7")
    assert {part_of(each.text) for each in MANY} == {"choosing", "reporting"}


def test_a_limit_keeps_the_order_and_a_larger_one_keeps_what_was_there():
    ten, twenty = choose(MANY, "all", 10), choose(MANY, "all", 20)
    assert len(ten) == 10
    assert set(names(ten)) < set(names(twenty))
    assert names(twenty) == [name for name in names(MANY) if name in set(names(twenty))]


def test_a_part_without_a_sentence_is_refused():
    [reporting] = [each for each in MANY[:8] if part_of(each.text) == "reporting"][:1]
    with pytest.raises(ValueError, match="None of 1 sentences is for choosing; take `all`"):
        choose([reporting], "choosing", None)


def test_the_last_utterances_are_held_out_as_many_as_the_corpus_says(corpus, monkeypatch):
    assert names(held_out_sentences(corpus, 2)) == [corpus[2].name, corpus[3].name]
    monkeypatch.setattr(corpus, "held_out", 1, raising=False)
    assert names(held_out_sentences(corpus)) == [corpus[3].name]


@pytest.mark.parametrize("holdout", [0, 5])
def test_more_than_there_are_and_none_are_refused(corpus, holdout):
    with pytest.raises(ValueError, match=f"`holdout` must be from 1 to 4, .* not {holdout}"):
        held_out_sentences(corpus, holdout)


def test_texts_are_the_lines_of_a_file_without_those_that_are_empty(tmp_path):
    file = tmp_path / "news.txt"
    file.write_text("One.\n\n  Two. \n", encoding="utf-8-sig")
    read = read_texts(file)
    assert [(each.name, each.text) for each in read] == [
        ("news-0001", "One."),
        ("news-0003", "Two."),
    ]
    assert all(each.utterance is None for each in read)


def test_a_file_without_text_and_one_that_is_not_utf_8_are_refused(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_bytes(b" \n\n")
    with pytest.raises(ValueError, match="has no text; write a sentence on each line"):
        read_texts(file)
    file.write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match="must be UTF-8 text, but byte 3 is not"):
        read_texts(file)


def test_two_sentences_of_one_name_are_refused():
    with pytest.raises(ValueError, match="`a` is the name of several sentences"):
        check_names([Sentence("a", "x"), Sentence("b", "y"), Sentence("a", "z")])
