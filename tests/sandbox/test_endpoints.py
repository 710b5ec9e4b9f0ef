"""The control routes for webhook endpoints, in shape C, and the URLs they take."""

import json

import httpx
import pytest

from orchestrator.sandbox.endpoints import check_url
from tests.sandbox.harness import KEY, Sandbox, captured, shape

_RULES = {
    "https://example.com/h#x": "https://example.com/h",
    "http://example.com": "webhook_url_must_use_https",
    "https://8.8.8.8": "https://8.8.8.8/",
    "https://user:pass@example.com/": "https://user:pass@example.com/",
    "https://example.com:8443/": "https://example.com:8443/",
    "ftp://x": "webhook_url_must_use_https",
    "": "webhook_url_required",
    "nope": "webhook_url_invalid",
}
_PRIVATE = [
    "localhost",
    "a.localhost",
    "127.0.0.1",
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.0.5",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "[::1]",
    "[fd00::1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a00:1]",
    "2130706433",
    "0x7f000001",
]


@pytest.mark.parametrize(("url", "result"), _RULES.items())
def test_a_strict_sandbox_takes_the_urls_that_the_gateway_takes(url: str, result: str) -> None:
    assert result in check_url(url, allow_private=False)


@pytest.mark.parametrize("host", _PRIVATE)
def test_a_strict_sandbox_refuses_private_addresses_in_every_spelling(host: str) -> None:
    assert check_url(f"https://{host}/", allow_private=False) == (
        None,
        "webhook_url_private_network_not_allowed",
    )
    assert check_url(f"http://{host}/", allow_private=True) == (f"http://{host}/", None)


def test_an_endpoint_is_made_shown_changed_rotated_and_deleted(sandbox: Sandbox) -> None:
    made = sandbox.endpoint("http://127.0.0.1:9/hook#fragment")
    real = captured("create", "endpoints")
    assert shape(made) == {name: item for name, item in shape(real).items() if name != "signing_secret_len"}
    assert (made["url"], made["events"]) == ("http://127.0.0.1:9/hook", real["events"])
    one = f"/webhook-endpoints/{made['id']}"
    assert shape(sandbox.management.get(one).json()) == shape(captured("get", "endpoints"))
    patch = {"status": "disabled", "events": ["Job.Completed", "nonsense.event"]}
    assert sandbox.management.patch(one, json=patch).json()["events"] == ["job.completed", "nonsense.event"]
    assert sandbox.management.post(f"{one}/rotate-secret").json()["signing_secret"] != made["signing_secret"]
    assert sandbox.management.delete(one).json() == {
        "id": made["id"],
        "object": "webhook_endpoint",
        "deleted": True,
    }
    gone = sandbox.management.get(one)
    assert (gone.status_code, gone.json()) == (404, captured("get 404", "endpoints"))


def test_endpoints_are_listed_latest_first_and_deleted_ones_on_request(sandbox: Sandbox) -> None:
    first, second = (sandbox.endpoint(f"http://127.0.0.1:9/{n}")["id"] for n in range(2))
    sandbox.management.delete(f"/webhook-endpoints/{first}")

    def listed(**query: str) -> list[str]:
        return [
            row["id"] for row in sandbox.management.get("/webhook-endpoints", params=query).json()["data"]
        ]

    assert listed() == [second]
    assert listed(include_deleted="true") == [second, first]
    assert listed(include_deleted="true", limit="1", offset="1") == [first]


def test_a_bad_payload_is_refused_in_shape_c(sandbox: Sandbox) -> None:
    answer = sandbox.management.post("/webhook-endpoints", json={"name": ""})
    assert (answer.status_code, answer.json()) == (400, captured("create bad", "endpoints"))
    answer = sandbox.management.post("/webhook-endpoints", json={"url": "nope"})
    assert answer.json()["error"]["details"] == {"reason": "webhook_url_invalid"}


def test_an_api_key_is_no_management_key(sandbox: Sandbox) -> None:
    answer = sandbox.api.get("/webhook-endpoints")
    assert (answer.status_code, answer.json()["reason"]) == (401, "management_key_required")
    assert KEY not in json.dumps(answer.json())


@pytest.mark.parametrize(
    ("switches", "label"),
    [
        ({"management_scopes": "read"}, "no write scope"),
        ({"management_scopes": "none"}, "no write scope"),
        ({"batch_gate_closed": True}, "gate off"),
    ],
)
def test_a_key_without_the_scope_and_a_workspace_without_the_feature_are_refused(
    sandbox: Sandbox, switches: dict[str, object], label: str
) -> None:
    sandbox.faults(**switches)
    answer = sandbox.management.post("/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    assert answer.status_code == 403
    assert answer.json() | {"workspace_id": ""} == captured(label, "endpoints") | {"workspace_id": ""}


def test_a_scope_to_read_is_enough_to_read(sandbox: Sandbox) -> None:
    sandbox.faults(management_scopes="read")
    assert sandbox.management.get("/webhook-endpoints").status_code == 200
    sandbox.faults(management_scopes="none")
    assert sandbox.management.get("/webhook-endpoints").json() == captured("no scopes", "endpoints")


def test_an_answer_that_gets_lost_leaves_what_was_asked_for_done(sandbox: Sandbox) -> None:
    sandbox.faults(control_lost_next=2)
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.management.post("/webhook-endpoints", json={"url": "http://127.0.0.1:9/"})
    (made,) = sandbox.management.get("/webhook-endpoints").json()["data"]
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.management.patch(f"/webhook-endpoints/{made['id']}", json={"status": "disabled"})
    changed = sandbox.management.post(f"/webhook-endpoints/{made['id']}/rotate-secret").json()
    assert (changed["status"], changed["signing_secret"][:6]) == ("disabled", "whsec_")
