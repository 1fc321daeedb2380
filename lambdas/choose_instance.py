"""Choose the cheapest instance that fits a workload, and say why each other one was refused."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.alternatives import alternatives
from domain.instances import Workload
from domain.learned_instances import History, choose_learned
from domain.prices import PriceBook, freshness, parse_prices
from domain.settings import ChooseInstanceSettings

PRICES = Path(__file__).resolve().parents[1] / "config" / "prices"


def price_book(region: str) -> PriceBook:
    return parse_prices((PRICES / f"{region}.csv").read_text(), region)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """{workload, finished?, rows?} -> a choice, cheapest first; {price_of: [types]} -> {type: price an hour}.

    `finished` are the ledger's jobs of this component, the latest last; `rows` those of the next one.
    """
    settings = ChooseInstanceSettings.from_env(os.environ)
    book = price_book(settings.region)
    if "price_of" in event:
        return {name: book[name].usd_per_hour for name in event["price_of"]}
    workload = Workload(**{**event["workload"], "use_estimates": settings.estimates == "use"})
    age = freshness(book.as_of, datetime.now(UTC).date())
    history = History.from_asked(event, frozen=age.verdict == "freeze", explore=settings.explore == "on")
    choice = choose_learned(book, workload, history)
    answer = asdict(choice)
    because = [*answer.pop("reasons"), *alternatives(book, choice, workload)]
    because += [age.reason] if age.reason else []
    return {**answer, "because": because, "prices": asdict(age)}
