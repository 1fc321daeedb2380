"""The price book: a dated table of instance types. A price is SageMaker's own, or an estimate that says so."""

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
    estimated: bool = False
    """The price follows from EC2's by `estimate`; SageMaker's own is not in the table."""


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


WARN_DAYS, FREEZE_DAYS = 30, 90


@dataclass(frozen=True)
class Freshness:
    """How old the prices are, and what follows: `fresh`, `warn`, or `freeze`: no change of type by itself."""

    verdict: str
    age_days: int
    reason: str


def freshness(as_of: date, today: date) -> Freshness:
    """Judge the age of a table on a day.

    >>> freshness(date(2026, 9, 27), date(2026, 10, 27)).verdict
    'fresh'
    >>> freshness(date(2026, 9, 27), date(2026, 11, 21)).reason
    'the prices of 2026-09-27 are 55 days old, above 30; scripts/refresh_prices.py fetches new ones'
    """
    age = (today - as_of).days
    if age <= WARN_DAYS:
        return Freshness("fresh", age, "")
    old = f"the prices of {as_of} are {age} days old, above"
    advice = "scripts/refresh_prices.py fetches new ones"
    if age <= FREEZE_DAYS:
        return Freshness("warn", age, f"{old} {WARN_DAYS}; {advice}")
    return Freshness("freeze", age, f"{old} {FREEZE_DAYS}: no type is changed by itself; {advice}")


def estimate(name: str, ec2_usd_per_hour: float) -> float:
    """SageMaker's price of a type from EC2's: measured over 133 types, and within 0.6% in a second region.

    Raises PriceError for a family for which nothing was measured.

    >>> estimate("ml.m5.xlarge", 0.192), estimate("ml.g5.xlarge", 1.006), estimate("ml.p5.48xlarge", 55.04)
    (0.2304, 1.4084, 63.296)
    """
    family, _, size = name.removeprefix("ml.").partition(".")
    if re.fullmatch(r"[cmr]\d[a-z]*(-flex)?", family):
        factor = 1.20
    elif family in ("g4dn", "g5", "g6", "g6e"):
        factor = 1.40 if size == "xlarge" else 1.25
    elif family in ("p4d", "p4de", "p5", "trn1"):
        factor = 1.15
    else:
        raise PriceError(
            f"{name}: no price, and none is estimated for the family {family}; write its own price into the table"
        )
    return round(ec2_usd_per_hour * factor, 4)


def _price(cells: dict[str, str]) -> tuple[float, bool]:
    """Dollars an hour, and whether they are an estimate."""
    own, ec2 = cells["usd_per_hour"], cells.get("ec2_usd_per_hour")
    if own or not ec2:
        return float(own), False
    return estimate(cells["instance_type"], float(ec2)), True


def _row(cells: dict[str, str], line: int) -> InstanceType:
    try:
        price, estimated = _price(cells)
        instance = InstanceType(
            name=cells["instance_type"],
            usd_per_hour=price,
            estimated=estimated,
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

    A row without `usd_per_hour` needs `ec2_usd_per_hour`, from which its price is estimated.

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


COLUMNS = (
    "instance_type",
    "usd_per_hour",
    "vcpus",
    "memory_gib",
    "gpus",
    "architecture",
    "local_nvme",
    "components",
)


def format_prices(book: PriceBook, source: str) -> str:
    """A table that `parse_prices` reads; a book with estimates is refused, since their origin would be lost."""
    estimated = [one.name for one in book.types if one.estimated]
    if estimated:
        raise PriceError(f"got estimated prices of {', '.join(estimated)}; allowed: SageMaker's own")
    lines = [f"# as_of={book.as_of} currency=USD source={source}", ",".join(COLUMNS)]
    for one in sorted(book.types, key=lambda each: each.name):
        order = [c for c in ("Training", "Hosting", "Transform", "Processing") if c in one.components]
        cells = (one.name, f"{one.usd_per_hour:g}", one.vcpus, one.memory_gib, one.gpus, one.architecture)
        lines.append(",".join(map(str, (*cells, "yes" if one.local_nvme else "no", " ".join(order)))))
    return "\n".join(lines) + "\n"
