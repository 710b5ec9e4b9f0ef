"""A page of somebody's product on an origin of its own, and the browser that opens it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

from tests.acceptance.processes import ROOT
from tests.servers.browser import chromium

GUIDE = ROOT / "docs" / "how-to" / "let-end-users-come-back.md"


def page_of_the_guide() -> str:
    """The page that our own guide shows."""
    (page,) = re.findall(r"```html\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(page)


@contextmanager
def origin(page: str) -> Iterator[str]:
    """An origin whose only page this is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def opened(profile: Path, url: str, **fragment: str) -> Iterator[Page]:
    """A browser of somebody with this profile, with a page open; closed afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
        )
        try:
            page = browser.pages[0]
            page.goto(f"{url}/#{urlencode(fragment)}")
            yield page
        finally:
            browser.close()
