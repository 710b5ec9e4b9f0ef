"""What makes a web site of the pages as a Git host shows them: navigation, the changelog, a first page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pygments.lexers.shell import BashLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"^- \[[^\]]+\]\(([\w/.-]+)\.md\)", re.MULTILINE)
_CHANGES = re.compile(r"\((?:\.\./)+CHANGELOG\.md\)")


def install(app: Sphinx) -> None:
    """Add to the builder what this project needs."""
    app.add_lexer("env", BashLexer)
    app.add_css_file("site.css")
    app.connect("source-read", _read)
    app.connect("build-finished", _finished)


def navigation(page: str) -> str:
    """The list of all pages, heading by heading, as the builder wants it for its menus."""
    parts = []
    for section in re.split(r"^##+ ", page, flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        if pages := _LINK.findall(text):
            parts.append("\n".join(["```{toctree}", ":hidden:", f":caption: {heading}", "", *pages, "```"]))
    return "\n\n".join(parts)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    if name == app.config.root_doc:
        source[0] += f"\n{navigation(source[0])}\n"
    elif name == "changelog":
        source[0] = (ROOT / "CHANGELOG.md").read_text()
    deeper = "../" * name.count("/")
    source[0] = _CHANGES.sub(f"({deeper}changelog.md)", source[0])


def _finished(app: Sphinx, error: Exception | None) -> None:
    """The first page is where a browser looks for it."""
    if error is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir) / f"{app.config.root_doc}.html", Path(app.outdir) / "index.html")
