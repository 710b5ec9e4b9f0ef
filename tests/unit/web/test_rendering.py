"""How words of ours and of others are written on a page."""

import pytest

from orchestrator.web.dashboard.rendering import as_words, moment, sentence, span, with_code


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("the prompt violates policy", "The prompt violates policy."),
        ("the prompt violates policy.", "The prompt violates policy."),
        ("what now?", "What now?"),
        ("G-1 is gone", "G-1 is gone."),
        ("", "."),
    ],
)
def test_a_sentence_begins_large_and_has_one_stop(words: str, written: str) -> None:
    assert sentence(words) == written


def test_commands_between_backticks_are_code_and_nothing_else_is_markup() -> None:
    assert with_code("see `orchestrator show <b>` & <i>") == (
        "see <code>orchestrator show &lt;b&gt;</code> &amp; &lt;i&gt;"
    )
    assert with_code("one ` alone <b>") == "one ` alone &lt;b&gt;"


def test_what_a_setting_says_is_written_in_words() -> None:
    assert [as_words(one) for one in (True, False, ["a", 1], (), "x")] == ["yes", "no", "a, 1", "", "x"]


def test_a_moment_is_for_people_and_for_programs() -> None:
    assert 'datetime="1970-01-01T00:00:01.500+00:00"' in moment(1.5)
    assert moment(None) == ""


def test_a_span_has_its_two_largest_units() -> None:
    assert [span(one) for one in (0.04, 9.96, 61, 90_061, -5)] == [
        "0.0 s",
        "10.0 s",
        "1 min 1 s",
        "1 d 1 h",
        "-5.0 s",
    ]
