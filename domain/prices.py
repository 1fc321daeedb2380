"""The price book: a dated table of instance types. An unknown price is refused, never guessed."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from datetime import date


class PriceError(ValueError):
    """A price table that cannot be trusted, or a type that it does not price."""


@dataclass(frozen=True)
class InstanceType:
    """One row of the table; `components` are SageMaker's own: Training, Processing, Hosting, Transform."""

    name: str
    usd_per_hour: float
    vcpus: int
    memory_gib: float
    gpus: int
    architecture: str
    local_nvme: bool
    components: frozenset[str]


@dataclass(frozen=True)
class PriceBook:
    """On-demand prices of one region, as of a day."""

    region: str
    as_of: date
    types: tuple[InstanceType, ...]

    def __getitem__(self, name: str) -> InstanceType:
        for instance in self.types:
            if instance.name == name:
                return instance
        raise PriceError(
            f"no price for {name} in {self.region} as of {self.as_of}; add its row to config/prices/{self.region}.csv"
        )


def _row(cells: dict[str, str], line: int) -> InstanceType:
    try:
        instance = InstanceType(
            name=cells["instance_type"],
            usd_per_hour=float(cells["usd_per_hour"]),
            vcpus=int(cells["vcpus"]),
            memory_gib=float(cells["memory_gib"]),
            gpus=int(cells["gpus"]),
            architecture=cells["architecture"],
            local_nvme={"yes": True, "no": False}[cells["local_nvme"]],
            components=frozenset(cells["components"].split()),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise PriceError(f"price table, row {line}: {error!r} in {cells}") from error
    for column in ("usd_per_hour", "vcpus", "memory_gib"):
        value = getattr(instance, column)
        if not 0 < value < math.inf:
            raise PriceError(
                f"price table, row {line}: {instance.name}: got {column} {value}; allowed: above zero"
            )
    return instance


def _as_of(first_line: str, region: str) -> date:
    dated = re.match(r"#.*\bas_of=(\d{4}-\d{2}-\d{2})\b", first_line)
    try:
        return date.fromisoformat(dated[1] if dated else "")
    except ValueError:
        raise PriceError(
            f"price table of {region}: the first line must say '# as_of=YYYY-MM-DD', got {first_line!r}"
        ) from None


def parse_prices(text: str, region: str) -> PriceBook:
    """Read a table: a first line `# as_of=YYYY-MM-DD ...`, a header, a row a type.

    Raises PriceError on a bad row, no date, or a type that stands twice.
    """
    first, _, body = text.partition("\n")
    as_of = _as_of(first, region)
    types = tuple(_row(cells, line) for line, cells in enumerate(csv.DictReader(body.splitlines()), start=3))
    names = [instance.name for instance in types]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PriceError(f"price table of {region}: {', '.join(twice)} stand twice; which price is right?")
    return PriceBook(region, as_of, types)
