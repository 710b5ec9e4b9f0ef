"""How jobs are created and followed to their end."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from orchestrator.settings.base import Group


class UncertainPolicy(StrEnum):
    """What to do with a create that stayed uncertain."""

    PERSON = "person"  # wait for `orchestrator resolve`
    RESUBMIT = "resubmit"  # create again: if the first create did make a job, both are paid


class Cadence(StrEnum):
    """How the moments of looks are chosen."""

    LEARNED = "learned"  # by what was learned about the ends of jobs and about webhooks
    GUIDANCE = "guidance"  # as soon as the gateway allows


class Following(Group):
    """How jobs are created and followed to their end."""

    updates: str = Field(
        "hybrid",
        pattern="^(hybrid|poll|shadow)$",
        description="How jobs are followed, unless they say. `hybrid`: webhooks and looks; `poll`: "
        "looks only; `shadow`: looks only, while webhooks are scored.",
    )
    poll_after_seconds: float = Field(
        20.0, gt=0, le=3600, description="Seconds between looks if the gateway gives no hint."
    )
    cadence: Cadence = Field(
        Cadence.LEARNED,
        description="`learned`: look when it is worth a request, judging by what was learned; "
        "`guidance`: look as often as the gateway allows.",
    )
    request_worth_seconds: float = Field(
        20.0,
        gt=0,
        le=86_400,
        description="Seconds of lag that one saved request to the gateway is worth. Less: look more often.",
    )
    longest_spacing_seconds: float = Field(
        900.0, gt=0, le=86_400, description="Most seconds between two looks, however reliable webhooks are."
    )
    explored_share: float = Field(
        0.01,
        ge=0,
        le=0.2,
        description="Share of jobs that are left alone to learn how late webhooks are, or followed "
        "closely to learn how long jobs take, if nothing else shows it.",
    )
    looks_per_second: float = Field(
        0.0,
        ge=0,
        description="Requests per second about one tenant's jobs; the least useful ones wait. 0: no limit.",
    )
    deadline_seconds: float = Field(
        21_600.0, gt=0, description="Seconds after which a job that has not ended is timed out."
    )
    uncertain_every_seconds: float = Field(
        5.0, gt=0, le=300, description="Seconds between attempts to find out what an uncertain create did."
    )
    uncertain_wait_seconds: float = Field(
        900.0,
        ge=0,
        description="Seconds after which an uncertain create is left to a person, or created again.",
    )
    uncertain_policy: UncertainPolicy = Field(
        UncertainPolicy.PERSON,
        description="`person`: wait for `orchestrator resolve`; `resubmit`: create it again, once per "
        "job, and risk paying twice.",
    )
    create_timeout_seconds: float = Field(
        120.0, gt=0, le=600, description="Seconds for one create call; beyond it the create is uncertain."
    )
    look_timeout_seconds: float = Field(30.0, gt=0, le=300, description="Seconds for one look.")
