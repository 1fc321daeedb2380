import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prices import PriceError, parse_prices

HEADER = "instance_type,usd_per_hour,vcpus,memory_gib,gpus,architecture,local_nvme,components"
DATED = "# as_of=2026-09-27 currency=USD"
ROW = "ml.m5.large,0.115,2,8.0,0,x86_64,no,Training Hosting"
TABLES = Path(__file__).resolve().parents[2] / "config" / "prices"


def table(*rows: str, first: str = DATED, header: str = HEADER) -> str:
    return "\n".join([first, header, *rows])


def test_a_row_is_read_as_it_stands() -> None:
    book = parse_prices(table(ROW), "us-east-1")
    instance = book["ml.m5.large"]
    assert (book.region, book.as_of) == ("us-east-1", date(2026, 9, 27))
    assert (instance.usd_per_hour, instance.vcpus, instance.memory_gib) == (0.115, 2, 8.0)
    assert instance.components == {"Training", "Hosting"}
    assert not instance.local_nvme


def test_the_columns_may_stand_in_another_order() -> None:
    turned = [",".join(reversed(line.split(","))) for line in (HEADER, ROW)]
    assert parse_prices(table(turned[1], header=turned[0]), "r") == parse_prices(table(ROW), "r")


def test_an_unknown_price_is_refused_and_says_where_to_add_it() -> None:
    with pytest.raises(PriceError, match=r"no price for ml\.x in us-east-1 .* add its row to config/prices"):
        parse_prices(table(ROW), "us-east-1")["ml.x"]


def test_a_type_that_stands_twice_is_refused_even_at_the_same_price() -> None:
    with pytest.raises(PriceError, match=r"ml\.m5\.large stand twice; which price is right"):
        parse_prices(table(ROW, ROW), "us-east-1")


@pytest.mark.parametrize(
    "first", ["", HEADER, "# currency=USD", "# as_of=2026-9-27", "as_of=2026-09-27", "# as_of=2026-13-45"]
)
def test_a_table_without_a_real_date_is_refused(first: str) -> None:
    with pytest.raises(PriceError, match=re.escape(f"must say '# as_of=YYYY-MM-DD', got {first!r}")):
        parse_prices(table(ROW, first=first), "us-east-1")


@pytest.mark.parametrize("price", ["0", "-0.115", "nan", "inf"])
def test_a_price_is_above_zero_and_finite(price: str) -> None:
    with pytest.raises(PriceError, match=r"row 4: ml\.free: got usd_per_hour .*; allowed: above zero"):
        parse_prices(table(ROW, f"ml.free,{price},2,8,0,x86_64,no,Training"), "us-east-1")


@pytest.mark.parametrize("row", ["ml.x,1,0,8,0,x86_64,no,Training", "ml.x,1,2,0,0,x86_64,no,Training"])
def test_an_instance_has_a_vcpu_and_memory(row: str) -> None:
    with pytest.raises(PriceError, match="allowed: above zero"):
        parse_prices(table(row), "us-east-1")


@pytest.mark.parametrize("column", range(1, 8))
def test_a_missing_column_is_named_with_its_row(column: int) -> None:
    header, row = HEADER.split(","), ROW.split(",")
    name = header.pop(column)
    row.pop(column)
    with pytest.raises(PriceError, match=f"row 3: KeyError\\('{name}'\\)"):
        parse_prices(table(",".join(row), header=",".join(header)), "us-east-1")


@pytest.mark.parametrize(
    "row", ["ml.x", "ml.x,cheap,2,8,0,x86_64,no,Training", "ml.x,1,2,8,0,x86_64,maybe,Training"]
)
def test_a_row_that_cannot_be_read_is_refused(row: str) -> None:
    with pytest.raises(PriceError, match="row 3"):
        parse_prices(table(row), "us-east-1")


@given(st.text())
def test_junk_is_refused_not_crashed_on(junk: str) -> None:
    for text in (junk, f"{DATED}\n{junk}", table(junk)):
        try:
            parse_prices(text, "us-east-1")
        except PriceError as error:
            assert str(error)  # noqa: PT017


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.csv")), ids=lambda path: path.stem)
def test_each_table_that_we_ship_is_trusted(path: Path) -> None:
    book = parse_prices(path.read_text(), path.stem)
    assert {"Training", "Processing", "Hosting"} <= {c for one in book.types for c in one.components}
