import io

from rich.console import Console

from kokoro_plugins.evaluation.watching import watched


def test_where_no_terminal_is_a_line_comes_every_ten_seconds():
    said, times = io.StringIO(), iter([0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0])
    with watched("m", 6, Console(file=said, width=80), lambda: next(times)) as advance:
        for _ in range(6):
            advance()
    assert said.getvalue().splitlines() == [
        "m: 3 of 6 sentences, about 12 s left",
        "m: 6 of 6 sentences, about 0 s left",
    ]


def test_on_a_terminal_a_bar_counts_the_sentences():
    said = io.StringIO()
    with watched("[m]", 2, Console(file=said, width=80, force_terminal=True)) as advance:
        advance()
        advance()
    assert "[m]" in said.getvalue()
    assert "2/2" in said.getvalue()
