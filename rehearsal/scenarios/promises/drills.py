"""Drills: each alarm is shown metrics as they would be on a bad day and on a good one, and must say which is which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from config.schema import Config
from rehearsal.engine import alarms
from rehearsal.engine.moto_seams import cloudwatch as seam
from rehearsal.engine.moto_seams.cloudwatch import Datum, MetricAlarm
from rehearsal.scenarios.promises.deployed import Deployed, shift_of

START = datetime(2030, 1, 7, tzinfo=UTC)
DAY = 1440
NOON = 720
PROVED_FROM_ITS_TEMPLATE = "-rollback-shift"
"""Of two versions side by side: each condition of it is proved at synth (stacks/rollback_lint.py)."""
Data = Iterable[tuple[int, float, int]]
"""Minute, value and how many samples had it."""


@dataclass(frozen=True)
class Drill:
    """Data, and at which minutes the alarm must then be red, and at which it must not."""

    about: str
    data: tuple[tuple[int, float, int], ...]
    red: tuple[int, ...] = ()
    calm: tuple[int, ...] = ()


def failed(deployed: Deployed) -> Iterator[str]:
    drills, found = of(deployed.config), set()
    ours = {one.id for one in deployed.of_type("AWS::CloudWatch::Alarm")}
    for alarm in seam.alarms(deployed.account):
        if alarm.name not in ours or alarm.name.endswith(PROVED_FROM_ITS_TEMPLATE):
            continue
        kind = _kind(alarm)
        found.add(kind)
        if kind not in drills:
            yield f"nobody says when {alarm.name} must fire; say it in {__name__}"
        for drill in drills.get(kind, ()):
            yield from (f"{alarm.name} {said}" for said in told(alarm, drill))
    is_live = bool(deployed.of_type("AWS::SageMaker::Endpoint"))
    for kind in sorted(set(drills) - found):
        if is_live or "rollback" not in kind:
            yield f"there is no alarm {kind}"


def _kind(alarm: MetricAlarm) -> str:
    """The end of an alarm's name; those on dead letters are all alike."""
    if alarm.key.name == LOST:
        return LOST
    release = alarm.name.partition("-rollback-")[2]
    return f"rollback-{release}" if release else alarm.name.rpartition("-")[2]


LOST = "ApproximateNumberOfMessagesVisible"


def told(alarm: MetricAlarm, drill: Drill) -> Iterator[str]:
    """What the alarm does that it must not."""
    after = {minute + 1 for minute, _, _ in drill.data}
    minutes = sorted({*after, *drill.red, *drill.calm})
    instants = [START + timedelta(minutes=minute) for minute in minutes]
    data = [_datum(alarm, *one) for one in drill.data]
    states = dict(zip(minutes, alarms.imagined(alarm, data, instants), strict=True))
    for minute in drill.red:
        if states[minute] != "ALARM":
            yield f"is not red {_ago(minute)}: {drill.about}"
    for minute in drill.calm:
        if states[minute] == "ALARM":
            yield f"is red {_ago(minute)}: {drill.about}"


def _ago(minute: int) -> str:
    return f"at {minute // DAY} d {minute % DAY // 60:02}:{minute % 60:02}"


def _datum(alarm: MetricAlarm, minute: int, value: float, samples: int) -> Datum:
    time = START + timedelta(minutes=minute)
    return Datum(alarm.key, alarm.unit or "None", time, samples, value * samples, value, value)


def of(config: Config) -> dict[str, tuple[Drill, ...]]:
    """By the kind of alarm, those that this configuration deploys."""
    daily = dict.fromkeys(("loss", "invalid", "traffic"), DAILY)
    common = {**daily, "heartbeat": HEARTBEAT, "silence": SILENCE, LOST: LOST_LETTERS}
    errors = {"5xx": ERRORS} if config.serving.has_endpoint else {}
    return {**common, **errors, **(_rollback(config) if config.serving.mode == "realtime" else {})}


DAILY = (
    Drill(
        "a value of 0.99, then of 1, then of 0.5, a day apart",
        ((1, 0.99, 1), (DAY + 1, 1.0, 1), (2 * DAY + 1, 0.5, 1)),
        red=(DAY + 5, DAY + 90, 2 * DAY - 10),
        calm=(5, 90, NOON, DAY - 10, 2 * DAY + 5),
    ),
    Drill("two checks within an hour, of which one says 1", ((1, 1.0, 1), (10, 0.2, 1)), red=(15,)),
)
_LAST_CHECK = 3 * DAY + 780
HEARTBEAT = (
    Drill(
        "a check each day that finds nothing, and then none",
        tuple((day * DAY + 780, 0.0, 1) for day in range(4)),
        red=(_LAST_CHECK + 30 * 60,),
        calm=(DAY + NOON, 2 * DAY, 3 * DAY + NOON, _LAST_CHECK + 25 * 60),
    ),
)
_SEEN = tuple((day * DAY + 780, 500.0, 1) for day in range(4))
SILENCE = (
    Drill(
        "one row counted each day",
        tuple((day * DAY + 780, 1.0, 1) for day in range(8)),
        calm=tuple(range(3 * DAY, 8 * DAY, 360)),
    ),
    Drill(
        "two counts each day, of which one is 0",
        tuple((day * DAY + 780 + late, value, 1) for day in range(8) for late, value in ((0, 0.0), (9, 5.0))),
        calm=tuple(day * DAY + NOON for day in range(3, 8)),
    ),
    Drill(
        "one day without a row",
        (*_SEEN, (4 * DAY + 780, 0.0, 1), (5 * DAY + 780, 500.0, 1)),
        calm=(4 * DAY + NOON, 5 * DAY, 5 * DAY + 900, 6 * DAY),
    ),
    Drill(
        "two days without a row", (*_SEEN, (4 * DAY + 780, 0.0, 1), (5 * DAY + 780, 0.0, 1)), red=(6 * DAY,)
    ),
    # CloudWatch looks two periods further back for data before it takes them for missing
    Drill("four days of which nobody tells", _SEEN, red=(7 * DAY + 900,)),
)
ERRORS = (
    Drill("one of 100 answers is a 5xx", ((10, 1.0, 1), (10, 0.0, 99)), red=(12,), calm=(5, 40)),
    Drill("good answers, and then none", tuple((minute, 0.0, 100) for minute in range(1, 20)), calm=(19, 60)),
)
LOST_LETTERS = (
    Drill(
        "a dead letter, and it is taken away",
        ((10, 0.0, 1), (12, 1.0, 1), *((minute, 0.0, 1) for minute in range(15, 60, 5))),
        red=(14,),
        calm=(5, 40, 59),
    ),
    Drill("an empty queue, of which nothing is published", (), calm=(5, 60)),
)


def _rollback(config: Config) -> dict[str, tuple[Drill, ...]]:
    """A release is watched for minutes: what is wrong must show in half of them, and not for one bad minute."""
    release = config.serving.release
    window = shift_of(config).window
    limit, soon = release.max_latency_ms * 1000, window.breaching + 1
    share = release.max_error_percent / 100
    late = window.periods + 1
    return {
        "rollback-latency": (
            Drill("15 of 100 requests take longer", _minutes(late, 0.5 * limit, 1.1 * limit, 15), red=(soon,)),
            Drill("5 of 100 requests take longer", _minutes(20, 0.9 * limit, 3 * limit, 5), calm=(soon, 15, 21)),
            Drill("one slow minute in ten", _now_and_then(0.5 * limit, 3 * limit), calm=_ALL_ALONG),
            Drill("no request", (), calm=_ALL_ALONG),
        ),
        "rollback-5xx": (
            Drill("errors above the limit", _minutes(late, 0.0, 1.0, _of_1000(1.5 * share), 1000), red=(soon,)),
            Drill("errors below the limit", _minutes(20, 0.0, 1.0, _of_1000(0.5 * share), 1000), calm=(soon, 15, 21)),
            Drill("one minute of errors in ten", _now_and_then(0.0, 1.0), calm=_ALL_ALONG),
            Drill("no request", (), calm=_ALL_ALONG),
        ),
    }  # fmt: skip


_ALL_ALONG = (4, 6, 8, 10, 15, 17, 26, 30)


def _now_and_then(good: float, bad: float) -> tuple[tuple[int, float, int], ...]:
    """Half an hour of requests, of which every tenth minute is bad from beginning to end."""
    return tuple((minute, bad if minute % 10 == 5 else good, 100) for minute in range(1, 30))


def _of_1000(share: float) -> int:
    return round(1000 * share)


def _minutes(
    count: int, good: float, bad: float, bad_samples: int, samples: int = 100
) -> tuple[tuple[int, float, int], ...]:
    """So many minutes of requests from the first on, of which so many samples are bad."""
    found = []
    for minute in range(1, count + 1):
        found.append((minute, good, samples - bad_samples))
        if bad_samples:
            found.append((minute, bad, bad_samples))
    return tuple(found)
