"""Jobs at a steady rate, of several tenants, whatever befalls the database meanwhile."""

import random
import threading
import time
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from orchestrator.engine.submit import submit
from orchestrator.errors import StoreError
from orchestrator.store import schema
from tests.acceptance.database import Database, wanted
from tests.soak.cases import CASES, Case

TENANTS = (schema.DEFAULT, "second", "third")
LONGEST_JOB = 8.0  # seconds
AGAIN_AFTER = 0.2


class Load(threading.Thread):
    """Submits until told to stop. `speed`: how much faster the gateway's own times pass."""

    def __init__(self, database: Database, *, per_second: float, seed: int, speed: float) -> None:
        super().__init__(name="load", daemon=True)
        self._database, self._per_second, self._speed = database, per_second, speed
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self.kept: list[str] = []  # what we were told is kept: it must be there at the end
        self.refused = 0

    def stop(self) -> None:
        """Come back once nothing more is submitted."""
        self._over.set()
        self.join(60)

    def run(self) -> None:
        self._surely(self._make_tenants)
        began, number = time.monotonic(), 0
        while not self._over.wait(max(0.0, began + number / self._per_second - time.monotonic())):
            if number % len(CASES) == 0:
                cases = self._chance.sample(CASES, len(CASES))
            self._surely(self._submission(cases[number % len(CASES)], TENANTS[number % len(TENANTS)]))
            number += 1

    def _submission(self, case: Case, tenant: str) -> Any:
        ends = {"duration": self._speed * self._chance.uniform(0.0, LONGEST_JOB)}
        one = wanted(updates=case.updates, count=case.outputs, **ends | case.switches)
        given = replace(one, reference=case.name, tenant_id=tenant)
        return lambda: self.kept.extend(job.id for job in submit(self._database.context, [given])[0])

    def _make_tenants(self) -> None:
        with self._database.store.write() as tx:
            for name in TENANTS[1:]:
                tx.execute(schema.tenants.insert().values(id=name, name=name))

    def _surely(self, act: Any) -> None:
        """Again and again, as a caller would; an attempt whose commit is unknown may have made a job too."""
        while True:
            try:
                act()
                return
            except (StoreError, SQLAlchemyError):
                self.refused += 1
                if self._over.wait(AGAIN_AFTER):
                    return


def cases_of(database: Database) -> dict[str, Case]:
    """Every job that is kept, and what befell it: its reference says so."""
    by_name = {case.name: case for case in CASES}
    return {job.id: by_name[str(job.reference)] for job in database.jobs()}
