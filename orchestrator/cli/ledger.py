"""The polls-saved ledger: what looking cost, what the guidance alone would have cost, and the lag paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from orchestrator.store.ledger import Page, Sums


class By(StrEnum):
    """What the sums are told by."""

    TENANT = "tenant"
    MODEL = "model"
    DAY = "day"


_COLUMNS = (
    "jobs",
    "looks",
    "lists",
    "by guidance",
    "saved",
    "lag a job",
    "guidance lag",
    "rescued",
)


def ledger(
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Days back, today included, in UTC.")] = 7,
    by: Annotated[By, typer.Option(help="One row for each.")] = By.TENANT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what looking at jobs has cost and saved.

    Looks sent, looks that the gateway's guidance would have sent for the same jobs, and the resulting lag. A
    job counts on the day it ended, some time after that, or at its deadline. An end that a look found
    although a webhook was expected is a rescue: many of them mean that webhooks are in trouble.
    """
    from orchestrator import wiring
    from orchestrator.cli.database import opened
    from orchestrator.cli.screen import print_json, print_table
    from orchestrator.store import ledger as kept

    with opened(wiring.read_settings(quiet=True, data_dir=data_dir)) as context, context.store.read() as tx:
        pages = kept.read(tx, since_day=kept.day_of(tx.now) - days + 1)
    sums = _summed(pages, by)
    if as_json:
        print_json([{by.value: name, **_numbers(one)} for name, one in sums.items()])
    elif not sums:
        print(f"no job ended in the last {days} days" if days > 1 else "no job ended today")
    else:
        rows = [(name, *_cells(one)) for name, one in sums.items()]
        if len(rows) > 1:
            rows.append(("all", *_cells(_total(sums.values()))))
        print_table((by.value, *_COLUMNS), rows, right=_COLUMNS)
        print("\nsaved: looks by guidance less looks and list requests; lag: seconds, in the mean")


def _summed(pages: Mapping[Page, Sums], by: By) -> dict[str, Sums]:
    """By name, in order."""
    groups: dict[str, list[Sums]] = {}
    for (tenant, model, day), one in pages.items():
        name = {By.TENANT: tenant, By.MODEL: model or "any", By.DAY: _date(day)}[by]
        groups.setdefault(name, []).append(one)
    return {name: _total(groups[name]) for name in sorted(groups)}


def _total(sums: Iterable[Sums]) -> Sums:
    from orchestrator.store.ledger import Sums

    whole = Sums()
    for one in sums:
        whole.add(one)
    return whole


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()


def _numbers(one: Sums) -> dict[str, Any]:
    jobs = max(one.jobs, 1)
    return {
        "jobs": one.jobs,
        "looks": one.looks,
        "list_requests": one.lists,
        "guidance_looks": one.guidance_looks,
        "saved": one.guidance_looks - one.looks - one.lists,
        "lag_mean": one.lag / jobs,
        "guidance_lag_mean": one.guidance_lag / jobs,
        "awaited": one.awaited,
        "rescued": one.rescued,
    }


def _cells(one: Sums) -> tuple[str, ...]:
    told = _numbers(one)
    share = f" ({one.rescued / one.awaited:.1%})" if one.awaited else ""
    saved = f" ({told['saved'] / one.guidance_looks:.0%})" if one.guidance_looks else ""
    return (
        f"{one.jobs:,}",
        f"{one.looks:,.0f}",
        f"{one.lists:,.0f}",
        f"{one.guidance_looks:,.0f}",
        f"{told['saved']:,.0f}{saved}",
        f"{told['lag_mean']:.1f}",
        f"{told['guidance_lag_mean']:.1f}",
        f"{one.rescued:,} of {one.awaited:,}{share}",
    )
