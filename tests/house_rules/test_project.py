"""What the project's own files promise: locks that name no host, a tidy top level, no word of one machine."""

import os
import re
import stat
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
RUNTIME_LOCK, DEV_LOCK = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
FOLDERS = {"orchestrator", "tests", "deploy", "docs"}
SMALL_FILES = {
    "pyproject.toml",
    "README.md",
    "Procfile",
    "LICENSE",
    "CHANGELOG.md",
    "Makefile",
    "requirements.lock",
    "requirements-dev.lock",
}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def project_files() -> list[Path]:
    """The files of the project: those git knows or would add, or, without git, all that .gitignore leaves."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True).stdout.decode().split("\0")
        return sorted(ROOT / name for name in listed if name and (ROOT / name).is_file())
    except (OSError, subprocess.CalledProcessError):
        return sorted(walked_files())


def walked_files() -> list[Path]:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split() if line[0] != "#"]
    found: list[Path] = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [n for n in folders if n != ".git" and not any(fnmatch(n, p) for p in ignored)]
        found += [Path(folder, n) for n in files if not any(fnmatch(n, p) for p in ignored)]
    return found


def text_of(file: Path) -> str:
    return file.read_bytes().decode("utf-8", errors="ignore")


def pins(lock: Path) -> dict[str, Requirement]:
    lines = [line for line in lock.read_text().splitlines() if re.match(r"\w", line)]
    requirements = [Requirement(line.removesuffix("\\").strip()) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def version_of(pin: Requirement) -> str:
    return str(pin.specifier).removeprefix("==")


def wanted(*groups: str) -> list[Requirement]:
    texts = PYPROJECT["project"]["dependencies"] + [
        text for group in groups for text in PYPROJECT["dependency-groups"][group]
    ]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEV_LOCK], ids=lambda lock: lock.name)
def test_a_lock_names_no_host_and_no_place(lock: Path) -> None:
    words = ("index-url", "find-links", "trusted-host", "file:", "git+", " @ ", "/")
    assert not [line for line in lock.read_text().splitlines() if any(word in line for word in words)]


@pytest.mark.parametrize("lock", [RUNTIME_LOCK, DEV_LOCK], ids=lambda lock: lock.name)
def test_every_requirement_in_a_lock_is_pinned_and_hashed(lock: Path) -> None:
    for entry in re.split(r"\n(?=\w)", lock.read_text().strip()):
        assert re.match(r"[\w.-]+==[\w.]+ ", entry), entry.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry.splitlines()[0]


@pytest.mark.parametrize(
    ("lock", "groups"),
    [(RUNTIME_LOCK, ("build",)), (DEV_LOCK, ("build", "dev"))],
    ids=["requirements.lock", "requirements-dev.lock"],
)
def test_a_lock_holds_every_dependency_in_a_version_that_is_wanted(
    lock: Path, groups: tuple[str, ...]
) -> None:
    locked = pins(lock)
    for requirement in wanted(*groups):
        pin = locked.get(canonicalize_name(requirement.name))
        assert pin, f"{requirement} is not in {lock.name}: run `make lock`"
        assert requirement.specifier.contains(version_of(pin), prereleases=True), f"{pin}: run `make lock`"


def test_both_locks_agree() -> None:
    dev = pins(DEV_LOCK)
    assert {name: str(pin) for name, pin in pins(RUNTIME_LOCK).items()} == {
        name: str(dev[name]) for name in pins(RUNTIME_LOCK)
    }


def test_the_locked_build_tools_are_those_the_build_asks_for() -> None:
    assert PYPROJECT["build-system"]["requires"] == PYPROJECT["dependency-groups"]["build"]


def test_the_linter_makes_exceptions_only_for_what_is_there() -> None:
    ignores = PYPROJECT["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert not [pattern for pattern in ignores if not any(ROOT.glob(pattern))]


def test_the_top_level_holds_only_what_it_should() -> None:
    tops = {file.relative_to(ROOT).parts for file in project_files()}
    folders = {parts[0] for parts in tops if len(parts) > 1 and not parts[0].startswith(".")}
    files = {parts[0] for parts in tops if len(parts) == 1 and not parts[0].startswith(".")}
    assert folders <= FOLDERS
    assert files <= SMALL_FILES


def test_no_file_names_a_place_on_the_machine_it_was_written_on() -> None:
    places = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users|private)/\w")
    assert not [
        f"{file.relative_to(ROOT)}: {found.group()}"
        for file in project_files()
        for found in places.finditer(text_of(file))
    ]


def test_every_text_ends_with_one_line_end_and_has_no_carriage_returns() -> None:
    texts = [file for file in project_files() if file.suffix in {".py", ".md", ".toml", ".sh", ".lock"}]
    untidy = [file for file in texts if (text := text_of(file)) and (text[-2:] == "\n\n" or text[-1] != "\n")]
    assert not untidy
    assert not [file for file in texts if "\r" in text_of(file)]


def test_what_is_run_is_executable_and_says_with_what() -> None:
    for file in [ROOT / ".ci" / "run", *sorted((ROOT / "deploy").glob("*.sh"))]:
        assert file.stat().st_mode & stat.S_IXUSR, file
        assert text_of(file).startswith("#!/"), file


def test_the_readme_is_short_and_is_the_package_description() -> None:
    readme = ROOT / "README.md"
    if readme.exists():
        assert len(readme.read_text().splitlines()) <= 150
        assert PYPROJECT["project"].get("readme") == "README.md"


def test_the_version_is_the_newest_in_the_changelog() -> None:
    code = (ROOT / "orchestrator" / "__init__.py").read_text()
    version = re.search(r'^__version__ = "([^"]+)"$', code, re.MULTILINE)
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version
    assert headings[0] == "Unreleased"
    assert len(headings) == 1 or headings[1] == version.group(1)


def test_every_link_between_our_documents_leads_somewhere() -> None:
    for page in (file for file in project_files() if file.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_whoever_installs_the_client_gets_its_types() -> None:
    assert (ROOT / "orchestrator" / "py.typed").exists(), "else a type checker takes everything for Any"


def test_every_page_of_the_docs_is_in_their_plan() -> None:
    docs = ROOT / "docs"
    plan = (docs / "README.md").read_text()
    pages = {str(file.relative_to(docs)) for file in project_files() if docs in file.parents}
    assert not {page for page in pages if page.endswith(".md") and page != "README.md" and page not in plan}


def test_decisions_are_numbered_dated_and_of_one_form() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text()
        assert re.match(rf"# {int(record.name[:4])}\. .+\n\n\d{{4}}-\d\d-\d\d\n", text), record.name
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in text, f"{record.name} lacks {heading}"


def test_make_help_lists_every_target_that_is_meant_for_people() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    assert set(re.findall(r"^([\w-]+):.*## ", makefile, re.MULTILINE)) == set(phony.group(1).split()) - {
        "setup-runtime"
    }
