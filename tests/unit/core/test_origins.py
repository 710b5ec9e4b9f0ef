"""Origins as browsers send them."""

import pytest

from orchestrator.core.origins import normal


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("https://shop.example:80", "https://shop.example:80"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(text: str, origin: str) -> None:
    assert normal(text) == origin
    assert normal(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "shop.example",
        "https://",
        "https://*.shop.example",
        "https://shop.example/path",
        "https://shop.example?q",
        "https://shop.example#f",
        "https://user@shop.example",
        "https://shop.example:port",
        "https://shop.example:99999",
        "ftp://shop.example",
        "file:///page.html",
        "https://bücher.example",
        "https://shop.example\n",
        "https://shop.example, https://evil.example",
        "https://" + "a" * 400,
        "https://[::1",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert normal(text) is None
