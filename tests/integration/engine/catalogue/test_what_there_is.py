"""Which destinations there are, and for whom."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.core.routes import Outcome, Route
from orchestrator.engine.catalogue import Catalogue
from orchestrator.sinks.folder import FolderSink
from tests.integration.engine.catalogue.conftest import Database, deliver, in_file
from tests.kinds import Noted


def test_with_nothing_said_there_is_the_folder(
    open_catalogue: Callable[..., Catalogue], tmp_path: Path
) -> None:
    catalogue = open_catalogue()
    assert list(catalogue) == ["folder"]
    assert catalogue.defaults() == (Route("folder"),)
    deliver(catalogue["folder"])
    assert (tmp_path / "out" / "a").read_bytes() == b"x"


def test_the_folder_stays_beside_others_and_takes_what_names_it(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("added")
    catalogue = open_catalogue(in_file("given", outcomes=("failed",)))
    assert set(catalogue) == {"folder", "given", "added"}
    assert set(catalogue.defaults()) == {Route("given", (Outcome.FAILED,), True), Route("added", link=True)}
    assert catalogue["folder"].route == Route("folder")


def test_another_one_may_have_the_folder_s_name(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("folder")
    catalogue = open_catalogue()
    assert len(catalogue) == 1
    assert catalogue.defaults() == (Route("folder", link=True),)


def test_what_is_said_of_a_destination_is_what_it_is(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    more: dict[str, Any] = {"outcomes": ["completed", "failed"], "default": False, "at_once": 2}
    database.add("added", **more)
    catalogue = open_catalogue(in_file("given", **more))
    for name in ("given", "added"):
        one = catalogue[name]
        assert one.outcomes == (Outcome.COMPLETED, Outcome.FAILED)
        assert (one.link, one.default, one.at_once, one.sink.takes_files) == (True, False, 2, False)
    assert catalogue.defaults() == ()


def test_plain_sinks_make_a_catalogue(tmp_path: Path) -> None:
    folder, noted = FolderSink(tmp_path), Noted(Noted.Options(label="x"))
    catalogue = Catalogue.of({"a": folder, "b": noted})
    assert [one.sink for one in catalogue.values()] == [folder, noted]
    assert catalogue.defaults() == (Route("a"), Route("b", link=True))
    assert "c" not in catalogue
    catalogue.close()
    assert noted.closed == 1


def test_the_secrets_of_both_sources_reach_the_sink(
    open_catalogue: Callable[..., Catalogue], database: Database, built: list[Noted]
) -> None:
    database.add("added", token="of the database")
    catalogue = open_catalogue(
        in_file("given", secrets={"token": {"env": "TOKEN"}}), environment={"TOKEN": "of the file"}
    )
    for name in ("added", "given"):
        catalogue[name].sink.check()
    tokens = [one.options.token for one in built]
    assert [one and one.get_secret_value() for one in tokens] == ["of the database", "of the file"]


def test_one_that_is_limited_to_tenants_is_there_for_no_other(
    open_catalogue: Callable[..., Catalogue], database: Database
) -> None:
    database.add("added", tenants=["acme"])
    catalogue = open_catalogue(in_file("given", tenants=("acme", "other")), in_file("open"))
    assert set(catalogue.of_tenant("acme")) == {"folder", "given", "added", "open"}
    assert set(catalogue.of_tenant("other")) == {"folder", "given", "open"}
    assert set(catalogue.of_tenant("default")) == {"folder", "open"}
    defaults = {
        tenant: {route.destination for route in catalogue.defaults(tenant)} for tenant in ("acme", "default")
    }
    assert defaults == {"acme": {"given", "added", "open"}, "default": {"open"}}
    assert set(catalogue) == {"folder", "given", "added", "open"}  # what is owed is handed off all the same


def test_a_tenant_that_no_other_destination_is_for_has_the_folder_by_default(
    open_catalogue: Callable[..., Catalogue],
) -> None:
    catalogue = open_catalogue(in_file("given", tenants=("acme",)))
    assert [route.destination for route in catalogue.defaults("other")] == ["folder"]
    assert [route.destination for route in catalogue.defaults("acme")] == ["given"]


def test_a_limited_one_of_the_folders_name_is_not_replaced_by_it_for_others(
    open_catalogue: Callable[..., Catalogue],
) -> None:
    catalogue = open_catalogue(in_file("folder", tenants=("acme",)))
    assert catalogue.of_tenant("acme")["folder"].link
    assert catalogue.of_tenant("other") == {}
    assert catalogue.defaults("other") == ()
