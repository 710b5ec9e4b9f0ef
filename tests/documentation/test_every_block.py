"""Every fenced block of every page is run, checked, or marked with the reason why not; none is left out."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.documentation import commands, shapes
from tests.documentation.blocks import COMMANDS, ROOT, SESSION, Block, blocks, pages, parsed, spans

ALL = [block for page in pages() for block in blocks(page)]
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
WORDS = ("printed", "as", "by", "not run")  # what may be said of a block of words alone


def fate(block: Block) -> str:
    """What becomes of a block."""
    if block.reason:
        return "not run"
    if "by" in block.mark:
        return "run by another test"
    runs = block.language in {COMMANDS, SESSION} or (block.language == "python" and "as" not in block.mark)
    return "run" if runs else "compared" if "printed" in block.mark else "checked"


def test_every_block_is_of_a_language_that_is_tested() -> None:
    strange = [f"{one} {one.language or 'none'}" for one in ALL if one.language not in shapes.CHECKS]
    assert not strange, f"say how they are tested: {strange}"
    assert not [str(one) for one in ALL if one.language == SESSION and not one.text.startswith("$ ")]
    assert not [str(one) for one in ALL if one.language == "text" and not one.mark.keys() & set(WORDS)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_what_its_language_says(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        try:
            shapes.check(block, tmp_path)
        except Exception as error:
            raise AssertionError(f"{block}: {error}") from error


def test_our_commands_parse_wherever_they_stand() -> None:
    wrong = [
        f"{one}: orchestrator {' '.join(given)}: {told}"
        for one in ALL
        if one.language in {COMMANDS, SESSION, "env", "text"}
        for given in commands.of_shell(one.text)
        if (told := commands.wrong_with(given, whole=one.language in {COMMANDS, SESSION}))
    ]
    wrong += [
        f"{page.relative_to(ROOT)}: `{span}`: {told}"
        for page in pages()
        for span in spans(page)
        for given in commands.of_span(span)
        if (told := commands.wrong_with(given, whole=False))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_targets_of_make_that_are_named_exist() -> None:
    said = [one.text for one in ALL if one.language == COMMANDS]
    said += [span for page in pages() for span in spans(page)]
    named = {word for text in said for word in re.findall(r"^make (\w[\w-]*)", text, re.MULTILINE)}
    assert {"demo", "test", "check"} <= named <= TARGETS


def test_what_another_test_runs_is_taken_from_the_page_by_it() -> None:
    for block in (one for one in ALL if "by" in one.mark):
        test = ROOT / block.mark["by"]
        assert test.is_file(), block
        nearby = "".join(file.read_text() for file in test.parent.glob("*.py"))
        assert block.page.name in nearby, f"{block}: {test.name} does not read it"


def test_what_is_not_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    marked = [one for one in ALL if one.reason]
    counts = Counter(map(fate, ALL))
    with capsys.disabled():
        told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        print(f"\n{len(pages())} pages, {len(ALL)} blocks: {told}")
        for one in marked:
            print(f"  not run: {one}: {one.reason}")
    assert counts["run"] > counts["not run"]
    assert all(len(one.reason) > 8 for one in marked)


def test_a_mark_that_says_nothing_known_is_refused() -> None:
    assert parsed("in A; until ready: webhooks; exits 1", "here")["until"] == "ready: webhooks"
    for wrong in ("nonsense", "in A; whatever", "not run", "not run, "):
        with pytest.raises(AssertionError, match="here"):
            parsed(wrong, "here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("orchestrator nope", "No such command"),
        ("orchestrator submit x --modell m", "No such option"),
        ("docker compose exec worker orchestrator check --nope", "No such option"),
        ("KEY=$(orchestrator keys make --nam x)", "No such option"),
        ("orchestrator watch \\\n    --everything a", "No such option"),
        ("orchestrator resolve", "Missing argument"),
    ],
)
def test_a_command_that_the_program_would_refuse_is_found(text: str, words: str) -> None:
    (given,) = commands.of_shell(text)
    assert words in commands.wrong_with(given, whole=True)
