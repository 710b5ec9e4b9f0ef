"""Somebody who follows a page from top to bottom: types, saves what it shows, compares what is printed."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.documentation import shapes
from tests.documentation.blocks import COMMANDS, SESSION, Block, steps
from tests.documentation.terminal import Terminal

FREE = re.compile(r"…|(?:job|acct)_[0-9a-z]+|G-[0-9A-Z]+|\d+(?:\.\d+)?")


class Reader:
    """One reader with a folder, the values of their own in place of the page's, and terminals."""

    def __init__(self, folder: Path, environment: Mapping[str, str], instead: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment, self._instead = environment, instead
        self._terminals: dict[str, Terminal] = {}
        self._name = "1"
        self._given = ""

    def follow(self, page: Path) -> int:
        """Do what the page says; how many blocks were run."""
        return sum(self._take(step) for step in steps(page))

    def end(self) -> None:
        for terminal in self._terminals.values():
            terminal.end()

    @property
    def _terminal(self) -> Terminal:
        if self._name not in self._terminals:
            self._terminals[self._name] = Terminal(self._name, self.folder, self._environment)
        return self._terminals[self._name]

    def _take(self, step: Block) -> bool:
        try:
            return self._do(step)
        except AssertionError as error:
            raise AssertionError(f"{step}: {error}") from error

    def _do(self, step: Block) -> bool:
        if step.reason or "by" in step.mark:
            return False
        self._name = step.mark.get("in", self._name)
        if step.language in {"prepare", "so"}:
            self._terminal.run(self._own(step.text))
            return False
        if step.language == "given":
            self._given = step.text
            return False
        if step.language == "press":
            key, _, name = step.text.strip().partition(" in ")
            self._terminals[name].press(key)
            return False
        if saved := step.mark.get("as"):
            (self.folder / saved).write_text(self._own(step.text))
        elif "printed" in step.mark:
            self._compare(step.text)
        else:
            return self._run(step)
        return False

    def _run(self, step: Block) -> bool:
        if step.language == COMMANDS:
            self._type(self._own(step.text), step.mark)
        elif step.language == SESSION:
            self._converse(step)
        elif step.language == "python":
            file = self.folder / f"line_{step.line}.py"
            file.write_text(self._own(self._given + step.text))
            self._given = ""
            self._type(f"python -u {file.name}", step.mark)
        else:
            shapes.check(step, self.folder)
            return False
        return True

    def _type(self, text: str, mark: Mapping[str, str]) -> None:
        if words := mark.get("until"):
            self._terminal.begin(text, self._own(words))
            if text.startswith("python "):
                self._terminal.press("Ctrl-C")
        else:
            self._terminal.run(text, int(mark.get("exits", 0)), mark.get("types", ""))

    def _converse(self, step: Block) -> None:
        """A session: each line after a `$` is typed, and what stands below is what it prints."""
        typed = [line.removeprefix("$ ") for line in step.text.splitlines() if line.startswith("$ ")]
        self._terminal.run(self._own("\n".join(typed)), code=None)
        self._compare("\n".join(line for line in step.text.splitlines() if not line.startswith("$ ")))

    def _compare(self, expected: str) -> None:
        """Every line that the page shows is there, in its order; ids and numbers may be others."""
        shown = self._terminal.shown()
        lines = iter(shown.splitlines())
        for line in (one for one in self._own(expected).splitlines() if one.strip(" …")):
            pattern = re.compile(alike(line))
            assert any(pattern.fullmatch(one.strip()) for one in lines), f"not printed: {line}\nbut\n{shown}"

    def _own(self, text: str) -> str:
        """The text with the reader's own values in the places of the page's."""
        for pattern, value in self._instead.items():
            text = re.sub(pattern, value.replace("\\", r"\\"), text)
        own = self.folder / "own"
        for line in own.read_text().splitlines() if own.exists() else ():
            words, _, value = line.partition("=")
            text = text.replace(words, value)
        return text


def alike(line: str) -> str:
    """A pattern for lines that are like this one, whatever their ids, numbers and spaces."""
    parts = re.split(f"({FREE.pattern}|\\s+)", line.strip())
    return "".join(_free(part) if at % 2 else re.escape(part) for at, part in enumerate(parts))


def _free(part: str) -> str:
    if part.isspace():
        return r"\s+"
    return r"\d+(?:\.\d+)?" if part[0].isdigit() else r".*" if "…" in part else r"\S+"
