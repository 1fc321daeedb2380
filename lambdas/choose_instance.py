"""Choose the cheapest instance that fits a workload, and say why each other one was refused."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.instances import Workload, choose
from domain.prices import PriceBook, freshness, parse_prices
from domain.settings import ChooseInstanceSettings

PRICES = Path(__file__).resolve().parents[1] / "config" / "prices"


def price_book(region: str) -> PriceBook:
    return parse_prices((PRICES / f"{region}.csv").read_text(), region)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """{workload} -> {candidates, refused, prices_as_of, prices}, cheapest first; {price_of: [types]} -> {type: price}.

    `prices` says how old the table is.
    """
    settings = ChooseInstanceSettings.from_env(os.environ)
    book = price_book(settings.region)
    if "price_of" in event:
        return {name: book[name].usd_per_hour for name in event["price_of"]}
    workload = Workload(**{**event["workload"], "use_estimates": settings.estimates == "use"})
    age = freshness(book.as_of, datetime.now(UTC).date())
    return {**asdict(choose(book, workload)), "prices": asdict(age)}
