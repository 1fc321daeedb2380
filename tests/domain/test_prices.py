import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prices import PriceError, estimate, freshness, parse_prices

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


ESTIMATED = f"{HEADER},ec2_usd_per_hour"


def test_a_type_without_a_price_of_its_own_is_estimated_and_says_so() -> None:
    book = parse_prices(
        table("ml.m5.xlarge,,4,16,0,x86_64,no,Training,0.192", f"{ROW},0.096", header=ESTIMATED), "r"
    )
    assert (book["ml.m5.xlarge"].usd_per_hour, book["ml.m5.xlarge"].estimated) == (0.2304, True)
    assert (book["ml.m5.large"].usd_per_hour, book["ml.m5.large"].estimated) == (0.115, False)


def test_a_family_for_which_nothing_was_measured_is_not_estimated() -> None:
    with pytest.raises(PriceError, match="none is estimated for the family inf1"):
        parse_prices(table("ml.inf1.xlarge,,4,8,0,x86_64,no,Hosting,0.228", header=ESTIMATED), "r")


@pytest.mark.parametrize(
    ("name", "ec2", "invoiced"),
    [("ml.m5.xlarge", 0.214, 0.257), ("ml.c5.xlarge", 0.192, 0.23), ("ml.m5.large", 0.107, 0.128)],
)
def test_the_law_gives_what_was_invoiced_in_ireland(name: str, ec2: float, invoiced: float) -> None:
    assert estimate(name, ec2) == pytest.approx(invoiced, rel=0.006)


@pytest.mark.parametrize(
    ("age_days", "verdict"),
    [(-5000, "fresh"), (0, "fresh"), (30, "fresh"), (31, "warn"), (90, "warn"), (91, "freeze")],
)
def test_prices_are_warned_of_past_30_days_and_change_nothing_past_90(age_days: int, verdict: str) -> None:
    as_of = date(2026, 9, 27)
    found = freshness(as_of, as_of + timedelta(days=age_days))
    assert found.verdict == verdict
    assert bool(found.reason) == (verdict != "fresh")
