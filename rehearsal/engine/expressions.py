"""When a schedule expression of EventBridge fires next: rate(...) and the six-field cron(...) of AWS, in UTC."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
WEEKDAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
LAST_YEAR = 2199  # documented range of the year field


@lru_cache(maxsize=1024)
def next_fire(expression: str, *, created: datetime, after: datetime) -> datetime | None:
    """The first time after `after` at which the expression fires; a rate counts from `created`."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate:
        interval = int(rate[1]) * UNITS[rate[2]]
        return created + interval * (max(0, (after - created) // interval) + 1)
    cron = re.fullmatch(r"cron\((.+)\)", expression)
    fields = cron[1].split() if cron else []
    if len(fields) != 6:
        raise ValueError(
            f"the schedule {expression!r} is neither rate(<number> minutes|hours|days) nor cron(<minutes> <hours> "
            "<day of month> <month> <day of week> <year>)"
        )
    return Cron(*fields).next_after(after)


@dataclass(frozen=True)
class Cron:
    """The six fields of an AWS cron expression; one of the two day fields is `?`."""

    minutes: str
    hours: str
    days: str
    months: str
    weekdays: str
    years: str

    def __post_init__(self) -> None:
        if "?" not in (self.days, self.weekdays):
            raise ValueError(
                f"cron day-of-month {self.days!r} and day-of-week {self.weekdays!r}: one of the two must be ?"
            )

    def next_after(self, after: datetime) -> datetime | None:
        hours, minutes = numbers(self.hours, 0, 23), numbers(self.minutes, 0, 59)
        moment = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for year in (year for year in numbers(self.years, 1970, LAST_YEAR) if year >= moment.year):
            for month in numbers(self.months, 1, 12, MONTHS):
                if (year, month) < (moment.year, moment.month):
                    continue
                for day in self._days(year, month):
                    for hour in hours:
                        for minute in minutes:
                            candidate = datetime(year, month, day, hour, minute, tzinfo=UTC)
                            if candidate >= moment:
                                return candidate
        return None

    def _days(self, year: int, month: int) -> list[int]:
        """The days of this month on which it fires."""
        first_weekday, length = calendar.monthrange(year, month)
        if self.weekdays == "?":
            return [day for day in self._month_days(year, month, length) if day <= length]
        weekday_of = {day: (first_weekday + day) % 7 + 1 for day in range(1, length + 1)}  # 1 is Sunday
        if "#" in self.weekdays:
            name, nth = self.weekdays.split("#")
            [number] = numbers(name, 1, 7, WEEKDAYS)
            return [day for day in weekday_of if weekday_of[day] == number][int(nth) - 1 : int(nth)]
        if self.weekdays.endswith("L") and self.weekdays != "L":
            [number] = numbers(self.weekdays[:-1], 1, 7, WEEKDAYS)
            return [day for day in weekday_of if weekday_of[day] == number][-1:]
        chosen = [7] if self.weekdays == "L" else numbers(self.weekdays, 1, 7, WEEKDAYS)
        return [day for day in weekday_of if weekday_of[day] in chosen]

    def _month_days(self, year: int, month: int, length: int) -> list[int]:
        if self.days == "L":
            return [length]
        if not self.days.endswith("W"):
            return numbers(self.days, 1, 31)
        wanted = length if self.days == "LW" else int(self.days[:-1])
        if wanted > length:
            return []
        working = [day for day in range(1, length + 1) if calendar.weekday(year, month, day) < 5]
        return [min(working, key=lambda day: (abs(day - wanted), day))]


def numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> list[int]:
    """The values that a field allows: *, lists, ranges, steps and names."""

    def number(text: str) -> int:
        value = (names or {}).get(text.upper()) or (int(text) if text.isdigit() else -1)
        if not low <= value <= high:
            raise ValueError(f"the cron field {field!r}: {text!r} is not within {low}-{high}")
        return value

    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            start, end = low, high
        elif "-" in span:
            start, end = (number(text) for text in span.split("-", 1))
        else:
            start = number(span)
            end = high if step else start
        values.update(range(start, end + 1, int(step or 1)))
    return sorted(values)
