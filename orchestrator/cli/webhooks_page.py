"""Webhook endpoints as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.screen import ago, print_json, print_table, text

if TYPE_CHECKING:
    from orchestrator.cli.webhooks_desk import Done
    from orchestrator.cli.webhooks_status import Status


def print_done(done: Done, *, as_json: bool) -> None:
    """What was done, and what is left to do for a person."""
    if as_json:
        print_json(done)
        return
    there = f"{done.endpoint.id} at {text(done.endpoint.url)}" if done.endpoint else "a new one"
    print(f"webhook endpoint of {text(done.account)}, {there}: {_deed(done)}")
    if done.instead_of:
        print(
            f"instead of {done.instead_of}, which this management key does not show: it was deleted, or the"
        )
        print("key is of another workspace than the account's API key, which then cannot use the new one")
    if done.changes:
        print(f"{'to change' if done.dry_run else 'changed'}: {', '.join(done.changes)}")
    if done.kept_in and not done.settings:
        print(f"where its id and its secret are kept: {text(done.kept_in)}")
    for name, value in done.settings.items():
        print(f"{name}={text(value)}")
    if done.restart:
        print("restart `up`, or `web`, `worker` and whatever else reads these settings, now")


def _deed(done: Done) -> str:
    if done.deed == "nothing":
        return "all is as it must be"
    return f"would be {done.deed}" if done.dry_run else str(done.deed)


def print_status(found: Status) -> None:
    """The endpoint, what is wrong, our secrets, health, and the latest deliveries."""
    print(f"webhooks of {text(found.account)} arrive at {text(found.url)}")
    if found.endpoint is not None:
        one = found.endpoint
        print(f"endpoint {one.id}: {text(one.status)}, {text(one.url)}")
        print(f"events: {text(', '.join(one.events)) or 'none'}")
    elif found.endpoint_id:
        print(f"endpoint {found.endpoint_id}")
    for trouble in found.troubles:
        print(f"{'WRONG' if trouble.serious else 'note'}: {text(trouble.found)}")
        if trouble.hint:
            print(f"       {text(trouble.hint)}")
    _print_secrets(found)
    for standing in found.health:
        print(f"{text(standing.provider or 'all providers')}: {standing.health}, {text(standing.why)}")
    _print_deliveries(found)


def _print_secrets(found: Status) -> None:
    rows = [
        (
            f"…{text(one.ends_with)}",
            str(one.origin),
            "live" if one.until is None else _until(one.until, found.now),
            "not lately" if one.last_used_at is None else f"{ago(found.now - one.last_used_at)} ago",
        )
        for one in found.secrets
    ]
    if rows:
        print()
        print_table(("secret", "in", "believed", "last used"), rows)


def _until(until: float, now: float) -> str:
    return f"for {ago(until - now)} more" if until > now else "no more"


def _print_deliveries(found: Status) -> None:
    rows = [
        (
            f"{ago(found.now - one.at)} ago",
            text(one.event),
            text(one.gateway_id),
            f"{one.attempt}",
            "delivered" if one.delivered else "failed",
            text(one.status) or "none",
            text(one.error),
        )
        for one in found.deliveries
    ]
    if rows:
        print()
        columns = ("tried", "event", "gateway job", "attempt", "came to", "our answer", "error")
        print_table(columns, rows, fold=True)
