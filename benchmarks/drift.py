"""Drift with a stated false-alarm rate, beside the rules in use today.

`make bench NAME=drift`, or with as many simulated years as you have time for: `python -m benchmarks.drift --years 20`.
On your own series: `python -m benchmarks.drift --data FILE.csv --time COLUMN [--target COLUMN]`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # a process a core does better than threads that wait for each other

import numpy as np

from benchmarks.process import ROOT
from benchmarks.results import HERE, Claim, render, write
from benchmarks.streams.delays import Delay, delays, median_hours
from benchmarks.streams.loss_days import WORLDS, false_alarms_a_year
from benchmarks.streams.nulls import DAYS, Start, all_rules_a_year, year
from benchmarks.streams.replay import BY_LOSS, MONTHLY, NEVER, Played, play, retrain, shuffled
from benchmarks.streams.rules import ADWIN, RULES
from benchmarks.streams.runs import OURS
from benchmarks.streams.season import season
from benchmarks.streams.series import Table, read
from benchmarks.streams.worlds import NULLS, counted

YEARS, DELAYS, SHUFFLES, DRAWS, LOSS_YEARS = 1, 2, 3, 20, 30
STATED, FALSE = "stated rate", "days with a false alarm a year"
LIMITS = {"mean": 6, "correlation": 6, "mix": 6, "prior": 11, "concept": 40}
AT_ONCE = ("unit", "nulls", "unseen")
SERIES = {"flights": ("examples/flights", "late"), "bikes": ("examples/bikes/bikes.csv.gz", "bikers")}


def measure() -> list[Claim]:
    return [claim for _, claims in parts(tuple(PARTS), YEARS) for claim in claims]


def parts(names: Sequence[str], years: int) -> Iterator[tuple[str, list[Claim]]]:
    """Each part of the benchmark as it is done."""
    with ProcessPoolExecutor(2) as pool:
        for name in names:
            yield name, PARTS[name](pool, years)


def _simulated(pool: ProcessPoolExecutor, years: int) -> list[Claim]:
    tasks = [(null, seed) for seed in range(years) for null in NULLS]
    played = list(pool.map(year, *zip(*tasks, strict=True)))
    claims = []
    for null in NULLS:
        mine = [one for (world, _), one in zip(tasks, played, strict=True) if world == null]
        widths = sorted({width for width, _ in mine})
        says = f"{null}: {FALSE}, {years} simulated years, windows of {'/'.join(map(str, widths))} h"
        claims.append(Claim(says, round(sum(days for _, days in mine) / years, 2), 1, STATED, "days"))
    return claims


def _rules(pool: ProcessPoolExecutor, _years: int) -> list[Claim]:
    """All rules on the same weeks of the same worlds."""
    found = list(pool.map(all_rules_a_year, NULLS, [0] * len(NULLS)))
    says = f"simulated, {DAYS} days in each of {len(NULLS)} worlds: {FALSE}"
    ours, *theirs = (round(float(np.mean([one[rule] for one in found])), 1) for rule in (OURS, *RULES, ADWIN))
    return [Claim(says, ours, mean, rule, "days") for mean, rule in zip(theirs, (*RULES, ADWIN), strict=True)]


def _delays(pool: ProcessPoolExecutor, _years: int) -> list[Claim]:
    claims = []
    for rows in (1000, 100):
        tasks = [("seasonal", 1000 + seed, rows) for seed in range(DELAYS)]
        found = [one for run in pool.map(delays, *zip(*tasks, strict=True)) for one in run]
        claims += [_delay_claim(shift, rows, found) for shift in (*LIMITS, *AT_ONCE)]
    tasks = [(null, 1000, 1000) for null in ("ar 0.8", "ar 0.9")]
    for (null, *_), run in zip(tasks, pool.map(delays, *zip(*tasks, strict=True)), strict=True):
        mean = _delay_claim("mean", 1000, run)
        claims.append(Claim(f"{null}, {mean.claim}", mean.ours, mean.peer, mean.peer_name, mean.unit))
    return claims


def _delay_claim(shift: str, rows: int, found: Sequence[Delay]) -> Claim:
    """At 100 rows an hour nothing is promised; what stands there is compared with the same limit."""
    mine = [one for one in found if one.shift == shift]
    name = "limit" if rows == 1000 else "limit at 1,000 rows"
    if shift in LIMITS:
        hours, limit = median_hours(mine), LIMITS[shift]
    else:
        hours = float(np.median([np.inf if one.invalid_hours is None else one.invalid_hours for one in mine]))
        limit = 1
    seen = sum(bool(one.hours if shift in LIMITS else one.invalid_hours) for one in mine)
    says = (
        f"hours until {shift} is seen, {rows} rows an hour, median ({seen} of {len(mine)} seen in two weeks)"
    )
    return Claim(says, hours if np.isfinite(hours) else 24 * 14, limit, name, "h")


def _series(pool: ProcessPoolExecutor, _years: int) -> list[Claim]:
    claims = []
    for name, (path, target) in SERIES.items():
        table = read(ROOT / path, "event_time", target, name=name)
        orders = [shuffled(table, seed) for seed in range(SHUFFLES)]
        played = list(pool.map(play, [table] * SHUFFLES, orders))
        claims += _shuffled_claims(table, played)
    return claims


def _season(pool: ProcessPoolExecutor, _years: int) -> list[Claim]:
    """The standard rehearsal's: in true order and in draws without drift, against the alarm before."""
    table = read(ROOT / SERIES["flights"][0], "event_time", SERIES["flights"][1], name="flights")
    orders = [list(range(len(table.days))), *(shuffled(table, seed) for seed in range(DRAWS))]
    true, *draws = pool.map(season, [table] * len(orders), orders)
    where = "flights, 1 March to 15 July, loss alone, never retrained:"
    ratio = "14 days' mean loss above 1.25"
    return [
        Claim(f"{where} alarms in true order", len(true.evidence), len(true.ratio), ratio, "alarms"),
        Claim(
            f"{where} of {DRAWS} draws of shuffled days, those with an alarm",
            sum(bool(draw.evidence) for draw in draws),
            sum(bool(draw.ratio) for draw in draws),
            ratio,
            "draws",
        ),
    ]


def _loss(pool: ProcessPoolExecutor, _years: int) -> list[Claim]:
    """The deployed watch, day by day, on losses that do not change."""
    found = pool.map(false_alarms_a_year, WORLDS, [LOSS_YEARS] * len(WORLDS))
    says = f"false alarms a year of the watch on the loss, {LOSS_YEARS} simulated years, worst length of reference"
    return [
        Claim(f"{says}: {world}", round(rate, 2), 1, STATED, "alarms")
        for world, rate in zip(WORLDS, found, strict=True)
    ]


def _shuffled_claims(table: Table, played: Sequence[Played]) -> list[Claim]:
    ours, *theirs = (
        round(float(np.mean([one.a_year(rule) for one in played])), 2) for rule in (OURS, *RULES, ADWIN)
    )
    says = f"{table.name}, days shuffled {len(played)} times: {FALSE}"
    peers = [(1.0, STATED), *zip(theirs, (*RULES, ADWIN), strict=True)]
    return [Claim(says, ours, number, name, "days") for number, name in peers]


def _speed(_pool: ProcessPoolExecutor, _years: int) -> list[Claim]:
    start = Start.of("seasonal", 0, 1000)
    rows = start.world.hour(12)
    began = time.process_time()
    for _ in range(20):
        start.training.signals(counted(start.grids, rows))
    seconds = (time.process_time() - began) / 20
    says = "rows a second of one core, from columns of numbers to signals (decoding left out), 35 features"
    return [Claim(says, round(len(rows.scores) / seconds), 200_000, "limit, decoding included", "rows/s")]


PARTS: dict[str, Callable[[ProcessPoolExecutor, int], list[Claim]]] = {
    "series": _series,
    "years": _simulated,
    "delays": _delays,
    "season": _season,
    "loss": _loss,
    "rules": _rules,
    "speed": _speed,
}


def report(table: Table, shuffles: int, *, retraining: bool) -> None:
    """All rules on one series, as text."""
    days, length = len(table.days), table.reference_days
    print(f"{table.name}: {days} days, the first {length} are the reference")
    true = play(table, range(days))
    false = [play(table, shuffled(table, seed)) for seed in range(shuffles)]
    print(f"{'rule':40s} {'false days a year':>18s} {'first alarm, day':>17s} {'days alarmed':>13s}")
    for rule in (OURS, *RULES, ADWIN):
        rate = float(np.mean([one.a_year(rule) for one in false])) if false else float("nan")
        print(f"{rule:40s} {rate:18.2f} {true.first(rule) or 'none':>17} {len(true.alarms[rule]):13d}")
    for day, carrier in list(zip(true.alarms[OURS], true.carriers, strict=True))[:10]:
        print(f"  ours, day {day} after the reference: {carrier}")
    if table.target is not None and retraining:
        for when in (NEVER, MONTHLY, BY_LOSS, OURS, *RULES):
            kept = retrain(table, when)
            print(f"retrained: {when:40s} loss {kept.loss:.4f} in {kept.runs} runs", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--data", type=Path, help="a CSV; plain or gzipped")
    parser.add_argument("--time", help="its column of dates; or a number, which starts over each day")
    parser.add_argument("--target", default="", help="its column of outcomes; a model is trained on it")
    parser.add_argument("--shuffles", type=int, default=SHUFFLES)
    parser.add_argument("--retraining", action="store_true", help="what each rule's alarms do to the loss")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="of the benchmark")
    parser.add_argument("--years", type=int, default=YEARS, help="simulated, of each world")
    options = parser.parse_args()
    if options.data:
        if not options.time:
            parser.error("--data needs --time")
        report(
            read(options.data, options.time, options.target), options.shuffles, retraining=options.retraining
        )
        return 0
    claims: list[Claim] = []
    for _, done in parts(options.parts, options.years):
        claims += done
        write("drift", claims)  # after each part: all of it takes long
        for claim in done:
            print(
                f"{claim.claim}: {claim.ours:g} {claim.unit}; {claim.peer_name}: {claim.peer:g}", flush=True
            )
    (HERE / "RESULTS.md").write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
