"""Somebody with a browser without JavaScript: cookies are kept, forms are sent as they stand in the page."""

import re
from dataclasses import dataclass, field
from html import unescape

import httpx

from tests.integration.access.api import Api

_CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
_HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')
_TAG = re.compile(r"<[^>]+>")


@dataclass
class Visitor:
    """One browser. Redirects are followed, as browsers do, unless a test wants to see them."""

    api: Api
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=self.api.url, headers={"Sec-Fetch-Site": "same-origin"}, verify=False
        )

    def sign_in(self, key: str, to: str = "") -> httpx.Response:
        return self.client.post("/dashboard/sign-in", data={"key": key, "next": to}, follow_redirects=True)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.client.get(f"/dashboard{path}", params=query)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """With what stands in every form of this session."""
        found = _CSRF.search(self.get("").text)
        assert found is not None, "nobody is signed in"
        return self.client.post(f"/dashboard{path}", data={"csrf": found[1], **fields}, follow_redirects=True)


def form_of(answer: httpx.Response) -> dict[str, str]:
    """What stands hidden in the forms of a page."""
    return {name: unescape(value) for name, value in _HIDDEN.findall(answer.text) if name != "csrf"}


def words(answer: httpx.Response) -> str:
    """What a page says."""
    return " ".join(unescape(_TAG.sub(" ", answer.text)).split())
