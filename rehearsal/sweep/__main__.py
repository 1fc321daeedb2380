"""`make sweep`: break the templates in one place at a time; does a rehearsal notice?"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from rehearsal.scenarios.deployment import ROOT
from rehearsal.sweep import reasons
from rehearsal.sweep.mutants import Mutant, own
from rehearsal.sweep.short import SEASON_END
from rehearsal.sweep.sweep import Ground, cores, played, prepare, quick, whole
from rehearsal.sweep.verdict import Verdict

MOST_SURVIVORS = 0.05
HELD, FAILED, UNUSABLE = 0, 1, 2
Verdicts = dict[Mutant, Verdict]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make sweep", description=__doc__)
    parser.add_argument("--kind", default="", help="mutants of this kind only, such as environment")
    parser.add_argument(
        "--stack", default="", help="mutants of stacks with this in their name only, such as training"
    )
    parser.add_argument(
        "--mutants", type=Path, help='your own: a JSON list of {"template", "path", "operation", "value"}'
    )
    parser.add_argument("--sample", type=int, default=0, help="this many, drawn at random, instead of all")
    parser.add_argument("--seed", type=int, default=0, help="of that draw")
    parser.add_argument(
        "--lives", action="store_true", help="live the short life for each, to prove the quick way"
    )
    parser.add_argument(
        "--whole",
        type=int,
        default=0,
        help=f"for so many of them, half of them survivors, play the season too, up to {SEASON_END:%d %B}",
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "sweep", help="where recordings and results go"
    )
    return parser.parse_args()


def chosen(args: argparse.Namespace, ground: Ground) -> list[Mutant]:
    """Those that were asked for. Raises ValueError for what there is not."""
    if args.mutants:
        return own(json.loads(args.mutants.read_text()), ground.templates)
    found = [
        mutant
        for mutant in ground.mutants()
        if args.kind in ("", mutant.kind) and args.stack.lower() in mutant.stack
    ]
    if not found:
        kinds = ", ".join(sorted({mutant.kind for mutant in ground.mutants()}))
        raise ValueError(
            f"no mutant of kind {args.kind!r} in a stack {args.stack!r}; kinds are {kinds}; "
            f"stacks are {', '.join(ground.templates)}"
        )
    if args.sample:
        found = random.Random(args.seed).sample(found, min(args.sample, len(found)))  # noqa: S311
    return found


def sweep(ground: Ground, wanted: Sequence[Mutant], console: Console, *, lives: bool) -> Verdicts:
    """The quick way, and a life for what it leaves open; or a life for each."""
    verdicts: Verdicts = {} if lives else dict(_told(quick(ground, wanted, cores()), console))
    rest = [mutant for mutant in wanted if lives or verdicts[mutant].state == "open"]
    return verdicts | dict(_told(played(ground, rest, cores()), console))


def drawn(verdicts: Verdicts, count: int, seed: int) -> list[Mutant]:
    """So many, half of them survivors as far as there are: of all mutants drawn alike hardly one would be."""
    draw = random.Random(seed)  # noqa: S311
    alive = [mutant for mutant, verdict in verdicts.items() if verdict.state != "caught"]
    caught = [mutant for mutant, verdict in verdicts.items() if verdict.state == "caught"]
    chosen = draw.sample(alive, min(count // 2, len(alive)))
    return [*chosen, *draw.sample(caught, min(count - len(chosen), len(caught)))]


def compared(ground: Ground, verdicts: Verdicts, chosen: Sequence[Mutant], console: Console) -> Verdicts:
    """What a whole season says of each, and where it does not say the same."""
    console.print(f"playing the season for {len(chosen)} of them: minutes each")
    season = dict(_told(whole(ground, chosen, cores()), console))
    other = [mutant for mutant in chosen if season[mutant].state != verdicts[mutant].state]
    console.print(f"a whole season says the same of {len(chosen) - len(other)} of {len(chosen)} mutants")
    for mutant in other:
        console.print(
            f"not of {mutant.name}: {verdicts[mutant].state} here ({verdicts[mutant].by}), "
            f"{season[mutant].state} there ({season[mutant].by or season[mutant].where})",
            markup=False,
            soft_wrap=True,
        )
    return season


def _told(found: Any, console: Console) -> Any:
    for mutant, verdict in found:
        where = f": {verdict.by or verdict.where}"
        console.print(
            f"{verdict.state:<9}{mutant.name}{where}", markup=False, highlight=False, soft_wrap=True
        )
        yield mutant, verdict


def table(verdicts: Verdicts) -> Table:
    shown = Table("kind", "mutants", "caught", "survived, with a reason", "without", box=None)
    by_kind: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in verdicts:
        by_kind[mutant.kind].append(mutant)
    for kind, members in [*sorted(by_kind.items()), ("all", list(verdicts))]:
        alive = [one for one in members if verdicts[one].state != "caught"]
        bare = len(reasons.unexplained(alive))
        shown.add_row(
            kind, *(str(n) for n in (len(members), len(members) - len(alive), len(alive) - bare, bare))
        )
    return shown


def judged(verdicts: Verdicts, *, is_all: bool) -> list[str]:
    """Why the sweep is not good enough; stale reasons and the share of survivors are about all mutants only."""
    alive = [mutant for mutant, verdict in verdicts.items() if verdict.state != "caught"]
    bad = [f"no reason: {one.name} ({verdicts[one].where})" for one in reasons.unexplained(alive)]
    if is_all:
        bad += [f"no such survivor any more: {pattern}" for pattern in reasons.stale(alive)]
        if len(alive) > MOST_SURVIVORS * len(verdicts):
            bad.append(f"{len(alive)} of {len(verdicts)} survived; at most {MOST_SURVIVORS:.0%} may")
    return bad


def listed(verdicts: Verdicts) -> list[dict[str, Any]]:
    return [{**asdict(mutant), "name": mutant.name, **asdict(verdicts[mutant])} for mutant in verdicts]


def main() -> int:
    args, began = arguments(), perf_counter()
    console = Console(width=None if sys.stdout.isatty() else 160)
    ground = prepare(args.out, console.print)
    try:
        wanted = chosen(args, ground)
    except (ValueError, OSError) as error:
        print(f"make sweep: {error}", file=sys.stderr)
        return UNUSABLE
    recorded = perf_counter()
    verdicts = sweep(ground, wanted, console, lives=args.lives)
    seconds = perf_counter() - recorded
    console.print(table(verdicts))
    console.print(
        f"{len(verdicts)} mutants in {seconds:.0f} s, {60 * len(verdicts) / seconds:.0f} a minute; "
        f"{recorded - began:.0f} s before them. An emulation, not AWS."
    )
    season = compared(ground, verdicts, drawn(verdicts, args.whole, args.seed), console) if args.whole else {}
    told = {"seconds": round(seconds, 1), "mutants": listed(verdicts), "season": listed(season)}
    (args.out / "sweep.json").write_text(json.dumps(told, indent=1))
    bad = judged(verdicts, is_all=not (args.kind or args.stack or args.mutants or args.sample))
    for one in bad:
        print(one)
    return FAILED if bad else HELD


if __name__ == "__main__":
    sys.exit(main())
