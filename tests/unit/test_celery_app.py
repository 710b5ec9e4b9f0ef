"""What the Celery application makes of a broker's URL."""

import ssl

import pytest

from orchestrator.celery_app import make_app


@pytest.mark.parametrize(
    ("url", "certificate"),
    [
        ("rediss://broker.example/0", ssl.CERT_REQUIRED),
        ("rediss://broker.example/0?ssl_cert_reqs=none", ssl.CERT_NONE),
    ],
)
def test_a_broker_s_certificate_is_checked_unless_the_url_says_otherwise(
    url: str, certificate: ssl.VerifyMode
) -> None:
    asked = make_app(url).connection().ssl
    assert isinstance(asked, dict)
    assert asked["ssl_cert_reqs"] is certificate


def test_a_broker_without_tls_is_reached_without_it() -> None:
    assert not make_app("redis://broker.example/0").connection().ssl
