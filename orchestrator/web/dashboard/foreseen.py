"""What would change, in the words of a page."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from markupsafe import Markup

from orchestrator.core.lifecycle import Verdict
from orchestrator.engine.foresight import Foreseen
from orchestrator.engine.take import Fate
from orchestrator.web.dashboard.rendering import moment, money, plainly

_FATES = {
    Fate.WAITING: "No job of ours is known by its gateway id or its session: it would go on waiting.",
    Fate.IGNORED: "It is not about a video job: nothing would change.",
}
_VERDICTS = {
    Verdict.KNOWN: "The job would stay {to}: there is nothing new in it.",
    Verdict.LATE: "The job would stay {to}: this was true once, and is overtaken.",
    Verdict.CLASH: "The job would stay {to}: this contradicts what is settled, and is counted as a clash.",
    Verdict.SCORED: "The job would stay {to}: it is in shadow mode, where webhooks are only counted.",
}
_NAMES = {
    "created_at": "the gateway has it since",
    "settled_at": "ended",
    "due_at": "next look",
    "gateway_status": "the gateway says",
    "detail_tries": "looks left for details",
    "hook_missed": "a webhook counted as missed",
    "looks": "looks",
    "needs_person": "needs a person",
    "unconfirmed": "gateway id not confirmed yet",
    "webhooks": "webhooks counted",
    "won_by": "told by",
    "cost_usd": "cost",
}


def sentence(foreseen: Foreseen) -> str:
    """What would happen, in one."""
    if foreseen.job is None or foreseen.verdict is None:
        return _FATES.get(foreseen.fate, "Nothing would change.")
    if foreseen.verdict is Verdict.MOVED:
        return f"The job would move from {foreseen.job.state} to {foreseen.to}."
    return _VERDICTS[foreseen.verdict].format(to=foreseen.to)


def changes(foreseen: Foreseen) -> list[tuple[str, Markup | str, Markup | str]]:
    """Each fact that would be another one: its name, and what it is before and after."""
    return [
        (
            _NAMES.get(one.name, one.name.replace("_", " ")),
            _value(one.name, one.before),
            _value(one.name, one.after),
        )
        for one in foreseen.changes
    ]


def _value(name: str, value: Any) -> Markup | str:
    if value is None:
        return "nothing"
    if name.endswith("_at"):
        return moment(value)
    if name == "cost_usd":
        return money(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and value.get("message"):
        return str(value["message"])
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return plainly(str(value)) if isinstance(value, StrEnum) else str(value)
