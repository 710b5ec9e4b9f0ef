"""Who may see the dashboard, for how long, and what another site's page can make a browser do there."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import update

from orchestrator.core.access import Scope
from orchestrator.engine import granting
from orchestrator.store.schema import sessions
from orchestrator.web.dashboard import live
from orchestrator.web.hub import Following, Hub, Whose
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import Visitor, words
from tests.patience import LONG


def test_a_stranger_is_asked_for_a_key_and_then_gets_the_page_that_was_asked_for(
    api: Served, us: Holder, visitor: Visitor
) -> None:
    turned_away = visitor.get("/live", a="b c")
    assert (turned_away.status_code, turned_away.headers["location"]) == (
        303,
        "/dashboard/sign-in?next=%2Fdashboard%2Flive%3Fa%3Db%2Bc",
    )
    assert visitor.client.get("/").headers["location"] == "/dashboard"
    answer = visitor.sign_in(us.key, to="/dashboard?x=1")
    assert answer.url.query == b"x=1"
    assert f"tenant {us.tenant}" in words(answer) or "all tenants" in words(answer)


@pytest.mark.parametrize("key", ["", "hjo_", "hjo_" + "a" * 16 + "_" + "B" * 43, "<script>", "🦊" * 100])
def test_what_is_no_key_opens_nothing(visitor: Visitor, key: str) -> None:
    answer = visitor.sign_in(key)
    assert answer.status_code == 401
    assert "This API key is not known here." in words(answer)
    assert "<script>" not in answer.text
    assert not visitor.client.cookies


def test_a_key_that_may_not_read_opens_nothing_and_the_page_says_what_would(
    us: Holder, visitor: Visitor
) -> None:
    answer = visitor.sign_in(us.only(Scope.SUBMIT).key)
    assert answer.status_code == 401
    assert "lacks the scope read" in words(answer)
    assert "orchestrator keys make" in words(answer)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example",
        "//evil.example",
        "/dashboard/\\evil",
        "/dashboardx",
        "/v1/jobs",
        "/dashboard\r\nX: y",
    ],
)
def test_a_link_leads_nowhere_else(us: Holder, visitor: Visitor, to: str) -> None:
    answer = visitor.client.post("/dashboard/sign-in", data={"key": us.key, "next": to})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")


def test_whoever_signed_out_is_a_stranger_at_once_even_with_the_old_cookie(
    us: Holder, signed_in: SignedIn
) -> None:
    visitor = signed_in(us)
    cookie = visitor.client.cookies["hjo_session"]
    assert visitor.post("/sign-out").url.path == "/dashboard/sign-in"
    assert visitor.get("", cookie="old").status_code == 303
    again = visitor.client.get("/dashboard", headers={"Cookie": f"hjo_session={cookie}"})
    assert again.status_code == 303


def test_a_session_ends_with_its_time_and_with_its_key(api: Served, us: Holder, signed_in: SignedIn) -> None:
    by_time, by_key = signed_in(us), Visitor(api)
    key = api.key(tenant=us.tenant)
    by_key.sign_in(key)
    with api.store.write() as tx:
        own = by_time.client.cookies["hjo_session"].split("_")[1]
        tx.execute(update(sessions).where(sessions.c.id == own).values(expires_at=tx.now - 1))
    granting.revoke_key(api.store, key.split("_")[1])
    deadline = time.monotonic() + 7  # they are believed for five seconds
    while {one.get("").status_code for one in (by_time, by_key)} != {303}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    by_key.client.close()


def test_a_form_of_another_site_s_page_does_nothing(us: Holder, signed_in: SignedIn) -> None:
    visitor = signed_in(us)
    refused = [
        visitor.client.post("/dashboard/sign-out"),
        visitor.client.post("/dashboard/sign-out", data={"csrf": "a" * 64}),
        visitor.client.post("/dashboard/sign-out", headers={"Sec-Fetch-Site": "cross-site"}),
        visitor.client.post("/dashboard/sign-out", headers={"Origin": "https://evil.example"}),
        visitor.client.post("/dashboard/sign-in", data={"key": us.key}, headers={"Origin": "null"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert visitor.get("").status_code == 200
    shown = visitor.client.get("/dashboard/sign-out")
    assert (shown.status_code, shown.headers["allow"]) == (405, "POST")
    assert "open the page that has the form" in words(shown)


def test_a_page_that_stays_open_is_told_nothing_more_once_its_session_ended(
    us: Holder, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.2)
    visitor = signed_in(us)
    cookies = dict(visitor.client.cookies)
    with httpx.stream(
        "GET", f"{us.api.url}/dashboard/live", cookies=cookies, timeout=20, verify=False
    ) as open_page:
        parts = open_page.iter_text()
        assert "retry" in next(parts)
        us.kept()
        assert any("changed" in part for part in parts), "between them it is told that all is well"
        visitor.post("/sign-out")
        assert "changed" not in "".join(parts), "it ended by itself"


def test_whatever_changes_after_the_first_byte_is_told_however_long_it_took_to_listen(
    us: Holder, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = Hub.follow

    @asynccontextmanager
    async def follow_late(self: Hub, whose: Whose) -> AsyncIterator[Following]:
        await asyncio.sleep(0.3)
        async with follow(self, whose) as following:
            yield following

    monkeypatch.setattr(Hub, "follow", follow_late)
    cookies = dict(signed_in(us).client.cookies)
    url = f"{us.api.url}/dashboard/live"
    with httpx.stream("GET", url, cookies=cookies, timeout=LONG, verify=False) as open_page:
        parts = open_page.iter_text()
        assert "retry" in next(parts)
        us.kept()
        assert "changed" in next(parts), "and not a ping, which would come else"


def test_pages_run_nothing_that_is_not_ours_and_are_kept_by_no_cache(us: Holder, signed_in: SignedIn) -> None:
    visitor = signed_in(us)
    for path in ("", "/sign-in", "/nothing-here"):
        answer = visitor.get(path)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "style=" not in answer.text
    session = visitor.client.post("/dashboard/sign-in", data={"key": us.key}).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/dashboard"} <= {part.strip() for part in session.split(";")}


def test_a_slash_too_many_leads_to_the_page_that_is_meant(us: Holder, signed_in: SignedIn) -> None:
    visitor = signed_in(us)
    for path, to in (("/", ""), ("/jobs/?q=a", "/jobs?q=a"), ("//", "")):
        answer = visitor.client.get(f"/dashboard{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard{to}")
    assert visitor.client.post("/dashboard/jobs/").status_code == 404
    assert visitor.client.get(f"{us.api.url}//evil.example/").status_code == 404


def test_our_own_files_are_served_and_nothing_beside_them(visitor: Visitor) -> None:
    css = visitor.get("/static/dashboard.css")
    assert css.headers["content-type"].startswith("text/css")
    assert "immutable" in css.headers["cache-control"]
    for name in ("../app.py", "..%2Fapp.py", "app.py", ".", "none.css"):
        assert visitor.get(f"/static/{name}").status_code == 404
