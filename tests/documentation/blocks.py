"""What stands in the pages: every fenced block, with the mark before it that says how it is tested.

A mark is a comment that no reader sees, `<!-- test: … -->`, with some of these, separated by semicolons:

    not run, REASON     it cannot be run here; its commands are parsed all the same
    by PATH             another test takes it from the page and runs it
    in NAME             the terminal that it is typed into; also for those that follow
    until WORDS         it goes on; the reader waits for these words
    types WORDS         what the commands read from standard input
    exits N             what the last command exits with
    printed             what the commands before it print, up to ids and numbers
    as FILE             the reader saves it under this name
    shape NAME          what the JSON is an example of

Standing alone, `press KEY in NAME` is a key in a terminal, and `prepare` and `so`, perhaps `in NAME`, are
followed by lines that the reader is spared: what must be there before, and what must be true then. What they
write to the file `own`, as WORDS=VALUE, the reader has from then on instead of what the page shows. `given`
is followed by what stands before the next example in Python.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial" / "first-video.md"
# The pages whose reader starts everything; the others are followed on what runs already.
ALONE = [
    TUTORIAL,
    DOCS / "how-to" / "settle-an-uncertain-create.md",
    DOCS / "how-to" / "test-your-own-integration.md",
    DOCS / "how-to" / "use-postgresql-and-redis.md",
]
COMMANDS, SESSION = "sh", "console"
ALIKE = {"bash": "sh", "shell": "sh"}
MARK = re.compile(r"^<!-- test: (.*?)-->\s*$", re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark")
_WORDS = ("not run", "by", "in", "until", "types", "exits", "printed", "as", "shape")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, or, with the language of a step, what a comment tells the test to do."""

    page: Path
    line: int
    language: str
    text: str
    mark: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def reason(self) -> str:
        """Why it cannot be run here; empty if it can."""
        return self.mark.get("not run", "")


def pages() -> list[Path]:
    """Every page of the documentation, and the README."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, from top to bottom."""
    return [one for one in steps(page) if one.language not in STEPS]


STEPS = ("prepare", "so", "press", "given")


def steps(page: Path) -> list[Block]:
    """The same, and between them what comments tell the test to do."""
    return list(_steps(page, _MARKDOWN.parse(page.read_text())))


def spans(page: Path) -> list[str]:
    """What stands between backticks in the sentences and tables of a page."""
    text = re.sub(r"^ *(```+).*?^ *\1 *$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [" ".join(found.split()) for found in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]


def _steps(page: Path, tokens: list[Token]) -> Iterator[Block]:
    waiting: dict[str, str] = {}
    for token in tokens:
        line = (token.map or [0])[0] + 1
        if token.type == "code_block":
            yield Block(page, line, "indented", token.content)
        elif token.type == "fence":
            language = ALIKE.get(token.info.strip(), token.info.strip())
            yield Block(page, line, language, token.content, waiting)
            waiting = {}
        elif token.type == "html_block" and (found := MARK.match(token.content)):
            kind, _, rest = found.group(1).partition("\n")
            word, _, after = kind.strip().partition(" ")
            if word in STEPS:
                mark = parsed(after, str(page)) if after and rest else {}
                yield Block(page, line, word, rest or after, mark)
            else:
                waiting = parsed(kind, f"{page.relative_to(ROOT)}:{line}")
    assert not waiting, f"{page.relative_to(ROOT)}: the last mark stands before no block"


def parsed(mark: str, where: str) -> dict[str, str]:
    """What a mark says, by its words."""
    said: dict[str, str] = {}
    parts = [mark] if mark.strip().startswith("not run") else mark.split(";")
    for part in parts:
        word = next((one for one in _WORDS if re.match(rf"{one}\b", part.strip())), None)
        assert word, f"{where}: no mark begins like {part.strip()!r}"
        said[word] = part.strip().removeprefix(word).lstrip(", ").strip()
    assert said.get("not run", "a reason"), f"{where}: say why it cannot be run"
    return said
