"""`tenants`, `keys` and `tokens`: made once, printed once, ended, and read by programs."""

import json

import pytest

from orchestrator.cli.exits import Exit
from tests.integration.cli.conftest import Rows, Run
from tests.integration.store.rows import a_job, keep


def made(run: Run, *more: object) -> str:
    return run("keys", "make", "--name", "pipeline", "--scope", "read", *more).out.strip()


def listed(run: Run, *more: object) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("keys", "list", "--json", *more).out)
    return found


def test_a_key_stands_alone_on_standard_output_and_can_be_the_first_thing_asked_for(run: Run) -> None:
    said = run(
        "keys", "make", "--name", "pipeline", "--scope", "submit", "--scope", "read", "--expires", "30d"
    )
    assert said.code == Exit.OK
    assert said.out.startswith("hjo_")
    assert len(said.out) == 65
    (kept,) = listed(run)
    assert (kept["name"], kept["tenant"], kept["scopes"]) == ("pipeline", "default", ["read", "submit"])
    assert kept["expires_at"] - kept["created_at"] == pytest.approx(30 * 86_400)  # type: ignore[operator]


def test_nothing_shows_a_key_again(run: Run) -> None:
    key = made(run)
    secret = key.split("_", 2)[2]
    for shown in (run("keys", "list"), run("keys", "list", "--json")):
        assert secret not in shown.out + shown.err


def test_a_program_gets_the_key_with_what_is_known_of_it(run: Run) -> None:
    told = json.loads(made(run, "--json"))
    assert told["key"].startswith(f"hjo_{told['id']}_")
    assert told["expires_at"] is None


def test_a_revoked_key_is_listed_as_such(run: Run) -> None:
    key_id = made(run).split("_")[1]
    assert run("keys", "revoke", key_id).out == f"revoked {key_id}: pipeline\n"
    assert listed(run)[0]["revoked_at"] is not None
    assert "revoked" in run("keys", "list").out
    assert run("keys", "revoke", "nobody").code == Exit.REFUSED


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--name", "n"), Exit.USAGE),
        (("--name", "n", "--scope", "all"), Exit.USAGE),
        (("--name", "", "--scope", "read"), Exit.USAGE),
        (("--name", "n", "--scope", "read", "--expires", "soon"), Exit.USAGE),
        (("--name", "n", "--scope", "read", "--tenant", "nobody"), Exit.REFUSED),
    ],
)
def test_a_key_that_cannot_be_made_is_said_and_nothing_is_printed(
    run: Run, rows: Rows, options: tuple[str, ...], code: Exit
) -> None:
    said = run("keys", "make", *options)
    assert (said.code, said.out) == (code, "")
    assert listed(run) == []


def test_a_tenant_is_added_changed_and_listed(run: Run) -> None:
    added = run("tenants", "add", "shop", "--max-open-jobs", 12, "--allow-origin", "https://shop.example/")
    assert added.code == Exit.OK
    changed = json.loads(
        run(
            "tenants",
            *("change", "shop", "--max-open-jobs", "default", "--spend-cap-usd", "40"),
            *("--looks-per-second", "0.5", "--json"),
        ).out
    )
    assert changed == {
        "name": "shop",
        "max_open_jobs": None,
        "spend_cap_usd": 40.0,
        "requests_per_minute": None,
        "looks_per_second": 0.5,
        "allowed_origins": ["https://shop.example"],
        "held_reason": None,
    }
    everyone = json.loads(run("tenants", "list", "--json").out)
    assert [one["name"] for one in everyone] == ["default", "shop"]
    assert "https://shop.example" in run("tenants", "list").out
    run("tenants", "change", "shop", "--forbid-origin", "https://shop.example")
    assert "https://shop.example" not in run("tenants", "list").out


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("add", "default"), Exit.REFUSED),
        (("add", "No Name"), Exit.USAGE),
        (("change", "nobody", "--max-open-jobs", "1"), Exit.REFUSED),
        (("change", "default", "--max-open-jobs", "many"), Exit.USAGE),
        (("change", "default", "--spend-cap-usd", "nan"), Exit.USAGE),
        (("change", "default", "--requests-per-minute", "-1"), Exit.USAGE),
        (("change", "default", "--looks-per-second", "often"), Exit.USAGE),
        (("change", "default", "--looks-per-second", "inf"), Exit.USAGE),
        (("change", "default", "--allow-origin", "*"), Exit.USAGE),
    ],
)
def test_what_no_tenant_can_be_is_refused(run: Run, rows: Rows, command: tuple[str, ...], code: Exit) -> None:
    before = run("tenants", "list", "--json").out
    assert run("tenants", *command).code == code
    assert run("tenants", "list", "--json").out == before


def test_a_token_is_made_for_a_job_or_an_end_user_of_a_tenant(run: Run, rows: Rows) -> None:
    keep(rows.context.store, a_job("job_1"))
    assert run("tokens", "make", "--job", "job_1").out.startswith("hjt_")
    told = json.loads(run("tokens", "make", "--end-user", "u", "--expires", "90d", "--json").out)
    assert (told["job_id"], told["end_user"]) == (None, "u")
    assert told["token"].startswith(f"hjt_{told['id']}_")
    run("tenants", "add", "shop")
    assert run("tokens", "make", "--job", "job_1", "--tenant", "shop").code == Exit.REFUSED
    assert run("tokens", "make", "--job", "job_2").code == Exit.REFUSED
    assert run("tokens", "make").code == Exit.USAGE
    assert run("tokens", "make", "--end-user", "u", "--expires", "91d").code == Exit.USAGE
