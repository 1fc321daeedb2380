"""The ledger's decisions under the configuration of today, and where they would come out differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.show import Bodies
from config.schema import PRICES, Config
from domain.prices import parse_prices
from domain.replay import Replayed, Rules, replay


def replayed(bodies: Bodies, config: Config) -> tuple[Replayed, ...]:
    book = parse_prices((PRICES / f"{config.region}.csv").read_text(), config.region)
    return replay(bodies("DECISION"), Rules.from_config(config.model_dump(), book))


def to_json(found: Sequence[Replayed]) -> list[dict[str, Any]]:
    return [
        {
            "at": one.then["at"],
            "kind": one.then["kind"],
            "subject": one.then["subject"],
            "then": one.then["verdict"],
            "now": one.now.verdict if one.now else None,
            "reasons": list(one.now.reasons) if one.now else [one.why_not],
        }
        for one in found
    ]


def text(found: Sequence[Replayed]) -> str:
    """The differences, then the counts."""
    lines = []
    for one in found:
        if one.differs and one.now:
            lines += [
                f"{one.then['at']}  {one.then['kind']} {one.then['subject']}",
                f"  then  {one.then['verdict']}: {'; '.join(one.then['reasons'])}",
                f"  now   {one.now.verdict}: {'; '.join(one.now.reasons)}",
            ]
    made = [one for one in found if one.now]
    differ = sum(one.differs for one in made)
    lines.append(
        f"{len(made)} of {len(found)} decisions made again under today's rules: {differ} would differ"
    )
    left = sorted({f"{one.then['kind']}: {one.why_not}" for one in found if not one.now})
    return "\n".join([*lines, *(f"  not made again: {why}" for why in left)])
