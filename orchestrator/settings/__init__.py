"""Every setting, by subject, and how they are read.

The reference page of the documentation and `orchestrator check` print the descriptions given here.
"""

from __future__ import annotations

from orchestrator.settings.base import PREFIX
from orchestrator.settings.checks import GATEWAY, checked_endpoint_id, checked_gateway_url, ports_of
from orchestrator.settings.following import Cadence, UncertainPolicy
from orchestrator.settings.gateway import SigningSecret
from orchestrator.settings.places import QUEUES
from orchestrator.settings.reading import GATEWAY_S_OWN_KEY, GROUPS, Problem, Settings, load, read

__all__ = [
    "GATEWAY",
    "GATEWAY_S_OWN_KEY",
    "GROUPS",
    "PREFIX",
    "QUEUES",
    "Cadence",
    "Problem",
    "Settings",
    "SigningSecret",
    "UncertainPolicy",
    "checked_endpoint_id",
    "checked_gateway_url",
    "load",
    "ports_of",
    "read",
]
