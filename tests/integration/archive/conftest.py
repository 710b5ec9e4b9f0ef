"""A folder as archive."""

from pathlib import Path

import pytest

from orchestrator.archive.folder import FolderArchive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def folder_archive(folder: Path) -> FolderArchive:
    return FolderArchive(folder)
