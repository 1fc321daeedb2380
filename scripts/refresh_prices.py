"""Write config/prices/<region>.csv anew from AWS's price list.

python -m scripts.refresh_prices --region us-east-1
python -m scripts.refresh_prices --region us-east-1 --file index.json  # an offer file, or an answer of GetProducts
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3

from domain.price_list import PriceList, read_price_list
from domain.prices import PriceBook, format_prices, parse_prices

PRICES = Path(__file__).resolve().parents[1] / "config" / "prices"
PRICING_REGION = "us-east-1"
"""The Price List API answers in a few regions only, for all of them."""


def ask_aws(region: str) -> Iterator[dict[str, Any]]:
    """Each page of GetProducts: the ML instances of a region."""
    wanted = {"regionCode": region, "productFamily": "ML Instance", "locationType": "AWS Region"}
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    pages = boto3.client("pricing", region_name=PRICING_REGION).get_paginator("get_products")
    yield from pages.paginate(ServiceCode="AmazonSageMaker", Filters=filters)


def published(documents: list[dict[str, Any]], today: date) -> date:
    """The day of a bulk file; what AWS answers now is of today."""
    days = [one["publicationDate"][:10] for one in documents if "publicationDate" in one]
    return date.fromisoformat(min(days)) if days else today


def objections(found: PriceList, known: PriceBook | None, region: str) -> list[str]:
    """Why the table must not be replaced."""
    if not found.types:
        return [f"the list has no hourly ML instance of {region}; is it the offer of AmazonSageMaker?"]
    present = {one.name for one in known.types} if known else set()
    return [f"{one.what}: {one.reason}" for one in found.refused if one.what in present]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.refresh_prices", description=__doc__)
    parser.add_argument("--region", required=True)
    parser.add_argument("--file", type=Path, help="read this instead of asking AWS (pricing:GetProducts)")
    parser.add_argument("--to", type=Path, default=PRICES, help="the folder of the tables")
    args = parser.parse_args()
    table = args.to / f"{args.region}.csv"
    known = parse_prices(table.read_text(), args.region) if table.exists() else None
    documents = [json.loads(args.file.read_text())] if args.file else list(ask_aws(args.region))
    found = read_price_list(documents, args.region, known)
    for one in (*found.rows_left_out, *found.refused):
        print(f"left out: {one.what}: {one.reason}", file=sys.stderr)
    wrong = objections(found, known, args.region)
    if wrong:
        print("\n".join(["nothing was written:", *wrong]), file=sys.stderr)
        return 1
    book = PriceBook(args.region, published(documents, datetime.now(UTC).date()), found.types)
    table.write_text(format_prices(book, "AWS Price List of AmazonSageMaker, on demand"))
    print(f"{table}: {len(book.types)} types as of {book.as_of}, {len(found.refused)} refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
