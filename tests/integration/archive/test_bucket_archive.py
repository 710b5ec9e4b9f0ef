"""The bucket archive keeps every archive's promise, and those that only a bucket makes."""

import pytest

from orchestrator.archive.bucket import BucketArchive
from tests.integration.archive.conformance import ArchiveConformance, Damage, ReadBack, Unfinished
from tests.servers.object_stores import Place

# The third kind, which knows no conditional copies, differs in what the sink's tests see of it already.
PLACES = ["s3_bucket", "azure_container"]
PREFIX = "kept/here"


def archive_at(place: Place) -> BucketArchive:
    return BucketArchive.build(BucketArchive.Options.model_validate(place.options(PREFIX)))


def key(sha256: str) -> str:
    return f"{PREFIX}/sha256/{sha256[:2]}/{sha256}"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def archive(place: Place) -> BucketArchive:
    return archive_at(place)


@pytest.fixture
def another(place: Place) -> BucketArchive:
    return archive_at(place)


@pytest.fixture
def read_back(place: Place) -> ReadBack:
    return lambda sha256: place.get(key(sha256))


@pytest.fixture
def damage(place: Place) -> Damage:
    def damage(sha256: str, content: bytes | None) -> None:
        if content is None:
            place.delete(key(sha256))
        else:
            place.put(key(sha256), content)

    return damage


@pytest.fixture
def unfinished(place: Place) -> Unfinished:
    return lambda: len([found for found in place.list() if "/." in found])


class TestBucketArchive(ArchiveConformance):
    pass
