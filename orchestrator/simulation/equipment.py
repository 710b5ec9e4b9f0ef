"""What every process of a world is given: the settings that its scenario makes, and its destinations."""

from __future__ import annotations

from pydantic import SecretStr

from orchestrator.settings import Settings, UncertainPolicy
from orchestrator.simulation.chance import Scenario
from orchestrator.simulation.client import CREATE_WITHIN, LOOK_WITHIN
from orchestrator.simulation.hooks import SECRET
from orchestrator.simulation.people import HOOK
from orchestrator.simulation.scheduler import Scheduler
from orchestrator.simulation.sink import PretendHook, PretendSink
from orchestrator.simulation.tools import Chance
from orchestrator.simulation.witness import Witness

ENDPOINT = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"
FOR_FILES = ("bucket", "folder")


def settings_of(scenario: Scenario, *, keep_outputs: bool) -> Settings:
    """As an operator would have set them."""
    return Settings(
        gateway_api_key=SecretStr("k"),
        webhook_endpoint_id=ENDPOINT if scenario.hooks else None,
        webhook_secrets=(SecretStr(SECRET),),
        deadline_seconds=scenario.deadline,
        uncertain_wait_seconds=scenario.uncertain_wait,
        uncertain_policy=UncertainPolicy.RESUBMIT if scenario.resubmits else UncertainPolicy.PERSON,
        create_timeout_seconds=CREATE_WITHIN,
        look_timeout_seconds=LOOK_WITHIN,
        content_patience_seconds=60.0,
        keep_outputs=keep_outputs,
    )


def sinks_of(scheduler: Scheduler, chance: Chance, witness: Witness) -> dict[str, PretendSink]:
    """Two places for files, and one that is called with documents."""
    given = scheduler, chance, witness.published, witness.again
    files = {name: PretendSink(name, *given) for name in FOR_FILES}
    return files | {HOOK: PretendHook(HOOK, *given)}
