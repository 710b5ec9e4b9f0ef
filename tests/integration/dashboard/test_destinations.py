"""Destinations: how each stands and for whom, opening one again, and trying again what is dead there."""

import pytest
from sqlalchemy import delete

from orchestrator.core.access import Scope
from orchestrator.core.job import HandOffState
from orchestrator.core.routes import ARCHIVE
from orchestrator.store import configured, destinations, hand_offs, schema
from orchestrator.store.destinations import Failing
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import Visitor, form_of, words
from tests.sandbox.harness import until

EVERYTHING = (Scope.READ, Scope.OPERATE, Scope.INSTALLATION)
NOT_TO_BE_SEEN = "no tenant is to read this"


@pytest.fixture(autouse=True)
def _nothing_fails(api: Served) -> None:
    """Destinations are everybody's, and so is what is wrong with them."""
    with api.store.write() as tx:
        tx.execute(delete(schema.destinations))


@pytest.fixture
def operator(us: Holder, signed_in: SignedIn) -> Visitor:
    return signed_in(us, *EVERYTHING)


def failing(api: Served) -> dict[str, Failing]:
    with api.store.read() as tx:
        return destinations.failing(tx)


def shut(api: Served, name: str = "folder") -> None:
    with api.store.write() as tx:
        for number in range(5):
            destinations.failed(tx, name, f"key{number}", NOT_TO_BE_SEEN)


def standing(api: Served, hand_off: int) -> HandOffState:
    with api.store.read() as tx:
        found = hand_offs.get(tx, hand_off)
    assert found is not None
    return found.state


def test_each_says_what_it_is_for_and_counts_what_is_ones_own(
    us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    for holder in (us, us, them):
        holder.dead()
    mine = words(signed_in(us, Scope.READ).get("/destinations"))
    assert "folder open folder every outcome files yes 0 2" in mine
    assert "archive open archive every output, before it goes anywhere else" in mine
    page = words(signed_in(us, Scope.READ).get("/destinations/folder"))
    assert "yes: jobs go there that name no destination" in page
    assert "Where it leads is shown to those with the scope installation" in page


def test_who_sees_all_tenants_sees_where_it_leads_and_never_a_secret(
    api: Served, us: Holder, operator: Visitor, signed_in: SignedIn
) -> None:
    url = "https://me:not-to-be-told@host.example/hook?token=not-to-be-told"
    settings = {"options": {"url": url}, "secrets": ["secrets"], "tenants": [us.tenant]}
    with api.store.write() as tx:
        configured.add_once(tx, "hook", "webhook", settings, "fernet:not-to-be-told")
    try:
        until_there(operator, "/destinations/hook")
        page = operator.get("/destinations/hook").text
        assert "https://********@host.example/hook?********" in page
        assert "not-to-be-told" not in page
        own = words(signed_in(us, Scope.READ).get("/destinations/hook"))
        assert "host.example" not in own
        assert "your tenant's" in own.replace("&#39;", "'")
        stranger = signed_in(us.api.new_tenant(), Scope.READ)
        assert stranger.get("/destinations/hook").status_code == 404
    finally:
        with api.store.write() as tx:
            configured.remove(tx, "hook")


def until_there(visitor: Visitor, path: str) -> None:
    """Until it is noticed, which takes two seconds at most."""
    until(lambda: visitor.get(path).status_code == 200)


def test_one_that_is_shut_says_why_and_is_opened_by_whoever_may(
    api: Served, us: Holder, operator: Visitor, signed_in: SignedIn
) -> None:
    shut(api)
    page = words(operator.get("/destinations/folder"))
    assert "After 5 failures in a row nothing is taken there but one try now and then" in page
    assert NOT_TO_BE_SEEN in page
    mere = signed_in(us, Scope.READ, Scope.OPERATE)
    seen = words(mere.get("/destinations/folder"))
    assert NOT_TO_BE_SEEN not in seen
    assert "somebody with the scope installation can enable it" in seen
    assert mere.post("/destinations/folder/enable").status_code == 403
    assert (
        signed_in(us, Scope.READ, Scope.INSTALLATION).post("/destinations/folder/enable").status_code == 403
    )
    assert "folder" in failing(api)
    assert "folder is enabled" in words(operator.post("/destinations/folder/enable"))
    assert failing(api) == {}
    assert api.sent
    assert operator.post("/destinations/folder/enable").status_code == 409


def test_one_that_wants_nothing_any_more_says_since_when(api: Served, operator: Visitor) -> None:
    with api.store.write() as tx:
        destinations.disable(tx, "folder", "it answered 410")
    page = words(operator.get("/destinations/folder"))
    assert "it said that it wants nothing any more" in page
    assert "it answered 410" in page


def test_dead_letters_are_counted_first_and_then_owed_again(
    api: Served, us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    ours, theirs = [us.dead(), us.dead(status=500)], them.dead()
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    page = visitor.get("/destinations/folder/replay")
    assert "2 dead letters would be owed again" in words(page)
    done = visitor.post("/destinations/folder/replay", **form_of(page))
    assert "2 of 2 dead letters are owed again." in words(done)
    assert [standing(api, one) for one in (*ours, theirs)] == [*[HandOffState.OWED] * 2, HandOffState.DEAD]
    assert api.sent


def test_only_those_that_are_named_are_owed_again(api: Served, us: Holder, signed_in: SignedIn) -> None:
    kept, meant = us.dead(status=503), us.dead(status=500)
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    page = visitor.get("/destinations/folder/replay", status="500")
    assert "1 dead letter would be owed again" in words(page)
    visitor.post("/destinations/folder/replay", **form_of(page), as_new="1")
    assert (standing(api, kept), standing(api, meant)) == (HandOffState.DEAD, HandOffState.OWED)
    with api.store.read() as tx:
        found = hand_offs.get(tx, meant)
    assert found is not None
    assert found.generation == 1


def test_nothing_is_owed_again_if_there_are_more_than_were_counted(
    api: Served, us: Holder, signed_in: SignedIn
) -> None:
    first = us.dead()
    visitor = signed_in(us, Scope.READ, Scope.OPERATE)
    form = form_of(visitor.get("/destinations/folder/replay"))
    us.dead()
    refused = visitor.post("/destinations/folder/replay", **form)
    assert refused.status_code == 409
    assert "nothing was done" in words(refused)
    assert standing(api, first) is HandOffState.DEAD


def test_whoever_may_only_read_sees_the_count_and_cannot_replay(
    us: Holder, api: Served, signed_in: SignedIn
) -> None:
    dead = us.dead()
    visitor = signed_in(us, Scope.READ)
    page = visitor.get("/destinations/folder/replay")
    assert "lacks the scope operate" in words(page)
    assert visitor.post("/destinations/folder/replay", **form_of(page)).status_code == 403
    assert standing(api, dead) is HandOffState.DEAD


def test_the_archive_is_one_of_them(us: Holder, signed_in: SignedIn) -> None:
    us.dead(to=ARCHIVE)
    visitor = signed_in(us, Scope.READ)
    assert "every output goes there" in words(visitor.get("/destinations/archive"))
    assert "1 dead letter would be owed again" in words(visitor.get("/destinations/archive/replay"))
    assert visitor.get("/destinations/nowhere").status_code == 404
