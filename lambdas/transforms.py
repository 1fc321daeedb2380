"""The transforms of a batch as the ledger keeps them: one at a time, each claimed before it is asked for."""

from __future__ import annotations

from domain.transforms import STARTED, Transform
from lambdas.table import ONLY_NEW, Table, item, still


class Transforms(Table):
    def all(self) -> list[Transform]:
        """In the order of their names, which is that of their times."""
        return [Transform.from_json(body) for body in self._bodies("TRANSFORM")]

    def take(self, transform: Transform) -> bool:
        """False if this very transform was claimed before."""
        return self._put_if(Item=item("TRANSFORM", transform.job, transform.to_json()), **ONLY_NEW)

    def open(self, job: str) -> Transform | None:
        """The transform of this name, if nobody has recorded its end."""
        body = self._body("TRANSFORM", job)
        return Transform.from_json(body) if body and body["status"] == STARTED else None

    def close(self, was: Transform, now: Transform) -> bool:
        """False if somebody else was faster."""
        return self._put_if(Item=item("TRANSFORM", was.job, now.to_json()), **still(was.to_json()))
