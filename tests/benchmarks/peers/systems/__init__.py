"""Every system of the comparison, in the order in which they are measured."""

from tests.benchmarks.peers.systems.base import System
from tests.benchmarks.peers.systems.ours import Embedded, Ours, Scaled
from tests.benchmarks.peers.systems.peers import (
    Awa,
    AwaTuned,
    CeleryTuned,
    Dbos,
    DbosTuned,
    PhaseoLoop,
    PlainCelery,
)
from tests.benchmarks.peers.systems.restate import Restate, RestateTuned

SYSTEMS: dict[str, type[System]] = {
    one.name: one
    for one in (
        Scaled,
        Embedded,
        PlainCelery,
        CeleryTuned,
        Restate,
        RestateTuned,
        Dbos,
        DbosTuned,
        Awa,
        AwaTuned,
        PhaseoLoop,
    )
}
PEERS = [name for name, one in SYSTEMS.items() if not issubclass(one, Ours)]
DURABLE_PEERS = [name for name in PEERS if SYSTEMS[name].durable]
