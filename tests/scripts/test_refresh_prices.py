import json
import sys
from datetime import date
from pathlib import Path

import pytest

from domain.prices import parse_prices
from scripts.refresh_prices import main
from tests.domain.test_price_list import answer, bulk, row


def refresh(monkeypatch: pytest.MonkeyPatch, folder: Path, document: object) -> int:
    offer = folder / "offer.json"
    offer.write_text(json.dumps(document))
    monkeypatch.setattr(sys, "argv", ["refresh", "--region=us-east-1", f"--file={offer}", f"--to={folder}"])
    return main()


def test_a_table_is_written_with_the_day_of_the_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert refresh(monkeypatch, tmp_path, bulk(row(), row(component="Hosting"))) == 0
    book = parse_prices((tmp_path / "us-east-1.csv").read_text(), "us-east-1")
    assert (book.as_of, book["ml.m5.large"].usd_per_hour) == (date(2026, 9, 1), 0.115)


def test_a_table_stays_as_it_is_if_the_list_contradicts_itself_about_one_of_its_types(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(monkeypatch, tmp_path, bulk(row()))
    before = (tmp_path / "us-east-1.csv").read_text()
    two_prices = answer(row(usd="0.2"), row(usd="0.1"), row("ml.m5.xlarge", "0.23"))
    assert refresh(monkeypatch, tmp_path, two_prices) == 1
    assert (tmp_path / "us-east-1.csv").read_text() == before
    assert "ml.m5.large: 2 different prices" in capsys.readouterr().err


def test_a_list_of_another_region_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refresh(monkeypatch, tmp_path, answer(row(regionCode="eu-west-1"))) == 1
    assert "no hourly ML instance of us-east-1" in capsys.readouterr().err
