"""The shapes are those of AWS's answers; the traps are those that other readers of the list fell into."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.price_list import PriceListError, read_price_list
from domain.prices import PriceBook, PriceError, format_prices, parse_prices

USAGE = {"Training": "Train", "Hosting": "Host", "Processing": "Processing", "Cluster": "Cluster"}


def row(
    name: str = "ml.m5.large",
    usd: str | None = "0.1150000000",
    component: str | None = "Training",
    *,
    unit: str = "Hrs",
    usage: str | None = None,
    sku: str = "JMCWJEAPVJNFJ5P4",
    **attributes: str,
) -> dict[str, Any]:
    """One product of GetProducts, as AWS writes it."""
    told = {
        "instanceName": name,
        "locationType": "AWS Region",
        "regionCode": "us-east-1",
        "memory": "8 GiB",
        "vCpu": "2",
        "gpu": "N/A",
        "storage": "EBS only",
        "usagetype": usage or f"USE1-{USAGE.get(component or '', 'Train')}:{name}",
        **attributes,
    }
    if component:
        told |= {"component": component, "instanceType": f"{name}-{component}"}
    rate = f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {"unit": unit, "beginRange": "0", "endRange": "Inf", "rateCode": rate, "appliesTo": []}
    dimension["pricePerUnit"] = {"USD": usd} if usd is not None else {"CNY": "1.0000000000"}
    term = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "priceDimensions": {rate: dimension},
        "termAttributes": {},
    }
    return {
        "product": {"productFamily": "ML Instance", "sku": sku, "attributes": told},
        "serviceCode": "AmazonSageMaker",
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": term}},
        "version": "20260901000000",
    }


def answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one) for one in rows]}


def bulk(*rows: dict[str, Any]) -> dict[str, Any]:
    """The same rows as the offer file has them."""
    skus = [f"SKU{number}" for number in range(len(rows))]
    return {
        "offerCode": "AmazonSageMaker",
        "publicationDate": "2026-09-01T00:00:00Z",
        "products": {sku: one["product"] for sku, one in zip(skus, rows, strict=True)},
        "terms": {"OnDemand": {sku: one["terms"]["OnDemand"] for sku, one in zip(skus, rows, strict=True)}},
    }


Shape = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("shape", [answer, bulk], ids=["GetProducts", "offer file"])
def test_one_price_in_every_component_is_a_row_of_the_table(shape: Shape) -> None:
    rows = [row(component=component) for component in ("Training", "Hosting", "Processing")]
    (found,) = read_price_list([shape(*rows)], "us-east-1", None).types
    assert (found.name, found.usd_per_hour, found.vcpus, found.memory_gib) == ("ml.m5.large", 0.115, 2, 8.0)
    assert found.components == {"Training", "Hosting", "Processing"}
    assert (found.architecture, found.local_nvme, found.gpus) == ("x86_64", False, 0)


TRAPS = {
    "a Cluster rate": (row(usd="0.1000000000", component="Cluster"), "its component is Cluster"),
    "a row without a component": (row(usd="0.01", component=None), "its component is missing"),
    "an upfront fee": (
        row(usd="13.57", usage="USE1-TrainingPlanUpfrontFee:ml.m5.large"),
        "no on-demand hour",
    ),
    "an odd unit": (row(usd="0.02", unit="Quantity"), "its unit is Quantity; allowed: Hrs"),
    "another currency": (row(usd=None), "its price is nan USD"),
    "a free row": (row(usd="0.0000000000"), "its price is 0 USD"),
    "a wavelength zone": (row(usd="0.2", locationType="AWS Wavelength Zone"), "no ML instance of a region"),
}


@pytest.mark.parametrize("shape", [answer, bulk], ids=["GetProducts", "offer file"])
@pytest.mark.parametrize("trap", TRAPS)
def test_a_row_that_is_no_plain_hour_is_left_out_wherever_it_stands(shape: Shape, trap: str) -> None:
    odd, reason = TRAPS[trap]
    for rows in ((odd, row()), (row(), odd)):
        found = read_price_list([shape(*rows)], "us-east-1", None)
        assert [one.usd_per_hour for one in found.types] == [0.115]
        assert [reason in one.reason for one in found.rows_left_out] == [True]
        assert found.refused == ()


@pytest.mark.parametrize("component", ["Training", "Hosting"])
def test_two_prices_of_a_type_are_refused_and_neither_is_taken(component: str) -> None:
    cheap = row(usd="0.1000000000", component=component, sku="OTHER")
    found = read_price_list([answer(row(), cheap)], "us-east-1", None)
    assert found.types == ()
    (refused,) = found.refused
    assert refused.what == "ml.m5.large"
    assert "2 different prices" in refused.reason


def test_a_row_with_two_tiers_has_no_one_price() -> None:
    tiered = row()
    (term,) = tiered["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    term["priceDimensions"]["second"] = {**dimension, "pricePerUnit": {"USD": "0.0900000000"}}
    found = read_price_list([answer(tiered)], "us-east-1", None)
    assert found.types == ()
    assert "it has 2 prices" in found.rows_left_out[0].reason


def test_the_same_price_twice_is_one_price() -> None:
    assert len(read_price_list([answer(row()), answer(row(sku="B"))], "us-east-1", None).types) == 1


def test_other_regions_and_burstable_types_are_not_in_a_regions_table() -> None:
    rows = (row(regionCode="eu-west-1"), row("ml.t3.medium"), row("ml.m5.xlarge", "0.2300000000"))
    assert [one.name for one in read_price_list([answer(*rows)], "us-east-1", None).types] == ["ml.m5.xlarge"]


def test_architecture_disk_and_gpus_of_a_new_type_come_from_the_list() -> None:
    rows = (
        row("ml.r7gd.xlarge", storage="1 x 237 NVMe SSD"),
        row("ml.g5.xlarge", "1.4080000000", storage="250 GB NVMe SSD", gpu="1"),
    )
    gpu, arm = read_price_list([answer(*rows)], "us-east-1", None).types
    assert (gpu.architecture, gpu.gpus, gpu.local_nvme) == ("x86_64", 1, True)
    assert (arm.architecture, arm.local_nvme) == ("arm64", True)


def test_what_is_known_of_a_type_is_kept_and_its_price_is_new() -> None:
    table = "# as_of=2026-01-01\n" + "\n".join(
        [
            "instance_type,usd_per_hour,vcpus,memory_gib,gpus,architecture,local_nvme,components,ec2_usd_per_hour",
            "ml.m5.large,,2,8.0,0,x86_64,no,Training,0.096",
        ]
    )
    known = parse_prices(table, "us-east-1")
    assert known["ml.m5.large"].estimated
    (found,) = read_price_list([answer(row(memory="wrong"))], "us-east-1", known).types
    assert (found.usd_per_hour, found.memory_gib, found.estimated) == (0.115, 8.0, False)


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(PriceListError, match=r"got a document with offers; allowed: a bulk offer file"):
        read_price_list([{"offers": {}}], "us-east-1", None)


def test_a_written_table_is_read_back_as_it_was() -> None:
    types = read_price_list([answer(row(), row(component="Hosting"))], "us-east-1", None).types
    book = PriceBook("us-east-1", date(2026, 11, 21), types)
    assert parse_prices(format_prices(book, "a test"), "us-east-1") == book


def test_an_estimate_is_never_written_down_as_a_price() -> None:
    types = read_price_list([answer(row())], "us-east-1", None).types
    guessed = PriceBook("us-east-1", date(2026, 11, 21), tuple(replace(one, estimated=True) for one in types))
    with pytest.raises(PriceError, match=r"got estimated prices of ml\.m5\.large"):
        format_prices(guessed, "a test")
