"""The documentation builds without a warning, needs no network, and every link in it leads somewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from docs.site import navigation
from tests.patience import LONG

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "video": "src", "source": "src"}
ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """What a built page loads, where it leads, and the names in it that may be led to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loads: set[str] = set()
        self.leads: set[str] = set()
        self.names: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag in LOADS and given.get("rel") not in {"canonical", "index", "search", "next", "prev"}:
            self.loads |= {given[LOADS[tag]]} if LOADS[tag] in given else set()
        if tag == "a" and "href" in given:
            self.leads.add(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as `make docs` builds them."""
    built = tmp_path_factory.mktemp("site")
    (line,) = re.findall(
        r"^\t@\$\(BIN\)/python (-m sphinx .*) dist/docs$", (ROOT / "Makefile").read_text(), re.M
    )
    done = subprocess.run(
        [sys.executable, *line.split(), str(built)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return built


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html")}


def test_every_page_is_built(pages: dict[Path, Page], site: Path) -> None:
    wanted = {file.relative_to(DOCS).with_suffix(".html") for file in DOCS.rglob("*.md")}
    assert wanted <= {file.relative_to(site) for file in pages}


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    assert not {one for page in pages.values() for one in page.loads if ELSEWHERE.match(one)}
    styles = "".join(file.read_text() for file in site.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", styles)


def test_what_is_loaded_is_there(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        for one in page.loads:
            path = unquote(re.split(r"[?#]", one)[0])
            assert one.startswith("data:") or (file.parent / path).exists(), f"{file.name} loads {one}"


def test_every_link_leads_to_a_page_and_a_heading_that_are_there(pages: dict[Path, Page]) -> None:
    broken = []
    for file, page in pages.items():
        for link in page.leads:
            path, name = urldefrag(unquote(link))
            if ELSEWHERE.match(path) or path.startswith("mailto:"):
                continue
            target = (file.parent / path).resolve() if path else file
            known = pages.get(target)
            if not target.exists() or (name and known is not None and name not in known.names):
                broken.append(f"{file.name}: {link}")
    assert not broken


def test_the_search_needs_no_server(site: Path) -> None:
    searching = Page(site / "search.html")
    assert any("searchindex.js" in one for one in searching.loads)  # by a script: a file may load no other
    index = (site / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    assert all(word in index for word in ("countdown", "cadenc"))


def test_the_menu_has_every_page_once() -> None:
    menu = navigation((DOCS / "README.md").read_text())
    listed = re.findall(r"^([\w-]+(?:/[\w-]+)?)$", menu, re.MULTILINE)
    pages = {str(file.relative_to(DOCS).with_suffix("")) for file in DOCS.rglob("*.md")} - {"README"}
    assert sorted(listed) == sorted(pages)
    captions = re.findall(r"^:caption: (.+)$", menu, re.MULTILINE)
    kinds = ["Tutorial", "How-to guides", "Reference", "Explanation", "Decisions", "Changes"]
    assert [one for one in captions if not one.startswith("More")] == kinds


def test_pages_are_plain_markdown() -> None:
    directives = re.compile(r"^\s*(?:`{3,}|:{3,})\{", re.MULTILINE)
    assert not [file.name for file in DOCS.rglob("*.md") if directives.search(file.read_text())]
