"""What must come of a scenario beyond what must come of every life: counts, and alarms that must or must not fire."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from config.values import Part
from rehearsal.scenarios.kinds import Listed


class Count(Part):
    """How often something may happen; without `at_most` as often as it likes."""

    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Count:
        if self.at_most is not None and self.at_most < self.at_least:
            raise ValueError(f"at_most must be {self.at_least} (at_least) or more")
        return self

    def holds(self, number: int) -> bool:
        return self.at_least <= number and (self.at_most is None or number <= self.at_most)

    def __str__(self) -> str:
        if self.at_most is None:
            return f"at least {self.at_least}"
        if self.at_least == self.at_most:
            return f"exactly {self.at_least}"
        return f"{self.at_least} to {self.at_most}"


def _exactly(value: Any) -> Any:
    """`retrains: 0` is short for both ends."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"at_least": value, "at_most": value}
    if not isinstance(value, Count | dict):
        raise ValueError("a number, or a mapping of at_least and at_most")  # noqa: TRY004
    return value


Times = Annotated[Count, BeforeValidator(_exactly)]


class Expected(Part):
    """What is not said is not asked; but a run that fails must be expected."""

    retrains: Times = Count()
    """Runs that an alarm started."""
    releases: Times = Count()
    """Models that went live for good, the first included."""
    refused: Times = Count()
    """Models that the gate refused."""
    rolled_back: Times = Count()
    failed_runs: Times = Count(at_most=0)
    """Training runs that did not come to a judgement."""
    transforms: Times = Count()
    """Where the model serves by batch: transforms that predicted all of their files."""
    failed_transforms: Times = Count()
    alarms: Listed[str] = ()
    """Must fire: the end of an alarm's name, such as `loss` or `rollback-latency`."""
    silent_alarms: Listed[str] = ()
    """Must not fire."""


class Later(Part):
    """What is to come of it once the product can do more; until then it is told, and fails nothing."""

    once: Annotated[str, Field(min_length=1)]
    expect: Expected
