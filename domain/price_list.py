"""AWS's price list as rows of a price table. What is not clearly one hourly price of one component is refused."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.prices import InstanceType, PriceBook

COMPONENTS = {
    "training": "Training",
    "hosting": "Hosting",
    "processing": "Processing",
    "batch transform": "Transform",
    "transform": "Transform",
}
"""The list's components that a table prices. Others, such as Cluster and Notebook, are other products."""
NOT_BY_THE_HOUR = ("Cluster:", "TrainingPlan", "UpfrontFee", "Reserved", "SavingsPlan")
"""Parts of a usage type that is no plain on-demand hour, whatever its component says."""


class PriceListError(ValueError):
    """A document that is not AWS's price list of SageMaker."""


@dataclass(frozen=True)
class Offer:
    """One instance type in one component, in dollars an hour."""

    name: str
    component: str
    usd_per_hour: float
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Refusal:
    """A row, or a whole type, that is not used, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class PriceList:
    """What a region's list offers. `types` have one price each; `refused` are types without one; rows are noted."""

    types: tuple[InstanceType, ...]
    refused: tuple[Refusal, ...]
    rows_left_out: tuple[Refusal, ...]


def products(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """Each product and its on-demand terms, from a bulk offer file or from answers of GetProducts.

    GetProducts gives `PriceList`, a list of JSON texts (or of objects); the bulk file has products and terms by SKU.
    """
    if "PriceList" in document:
        for text in document["PriceList"]:
            row = json.loads(text) if isinstance(text, str) else text
            yield row["product"], list(row.get("terms", {}).get("OnDemand", {}).values())
    elif "products" in document and "terms" in document:
        on_demand = document["terms"].get("OnDemand", {})
        for sku, product in document["products"].items():
            yield product, list(on_demand.get(sku, {}).values())
    else:
        raise PriceListError(
            f"got a document with {', '.join(sorted(document)) or 'nothing'}; allowed: a bulk offer file (products "
            "and terms) or an answer of GetProducts (PriceList)"
        )


def _hourly_usd(terms: list[Mapping[str, Any]]) -> float:
    """The one price an hour of a product; ValueError says what stands there instead."""
    dimensions = [one for term in terms for one in term.get("priceDimensions", {}).values()]
    units = sorted({str(one.get("unit")) for one in dimensions})
    if units != ["Hrs"]:
        raise ValueError(f"its unit is {', '.join(units) or 'missing'}; allowed: Hrs")
    found = {one.get("pricePerUnit", {}).get("USD") for one in dimensions}
    if len(found) > 1:
        raise ValueError(f"it has {len(found)} prices: {', '.join(sorted(map(str, found)))}")
    usd = float(found.pop() or "nan")
    if not 0 < usd < math.inf:
        raise ValueError(f"its price is {usd:g} USD; allowed: above zero")
    return usd


def read_row(product: Mapping[str, Any], terms: list[Mapping[str, Any]]) -> Offer | Refusal:
    attributes = product.get("attributes", {})
    usage = str(attributes.get("usagetype", ""))
    component = COMPONENTS.get(str(attributes.get("component", "")).lower())
    if product.get("productFamily") != "ML Instance" or attributes.get("locationType") != "AWS Region":
        return Refusal(usage, "no ML instance of a region")
    if component is None:
        return Refusal(usage, f"its component is {attributes.get('component', 'missing')}")
    if any(part in usage for part in NOT_BY_THE_HOUR):
        return Refusal(usage, "no on-demand hour")
    try:
        return Offer(str(attributes["instanceName"]), component, _hourly_usd(terms), attributes)
    except (KeyError, ValueError) as error:
        return Refusal(usage, str(error))


def _architecture(name: str) -> str:
    """Graviton types have a g after the generation, as in c6g and r7gd."""
    return "arm64" if re.match(r"ml\.[a-z]+\d+g", name) else "x86_64"


def _number(text: str) -> float:
    found = re.match(r"[\d,.]+", text)
    return float(found[0].replace(",", "")) if found else 0.0


def _type(name: str, offers: list[Offer], known: Mapping[str, InstanceType]) -> InstanceType:
    """One row of the table; ValueError where the offers do not agree or do not say enough."""
    prices = sorted({one.usd_per_hour for one in offers})
    if len(prices) > 1:
        said = "; ".join(sorted({f"{one.component} {one.usd_per_hour:g}" for one in offers}))
        raise ValueError(f"{len(prices)} different prices: {said}; which one is right?")
    components = frozenset(one.component for one in offers)
    if name in known:
        return replace(known[name], usd_per_hour=prices[0], components=components, estimated=False)
    attributes = offers[0].attributes
    storage = attributes.get("storage", "")
    vcpus, memory = _number(attributes.get("vCpu", "")), _number(attributes.get("memory", ""))
    if not vcpus or not memory or not storage:
        raise ValueError("a new type whose vCPUs, memory or storage the list does not say")
    return InstanceType(
        name=name,
        usd_per_hour=prices[0],
        vcpus=int(vcpus),
        memory_gib=memory,
        gpus=int(_number(attributes.get("gpu", ""))),
        architecture=_architecture(name),
        local_nvme="nvme" in storage.lower()
        or ("ebs only" not in storage.lower() and "ssd" in storage.lower()),
        components=components,
    )


def read_price_list(
    documents: Iterable[Mapping[str, Any]], region: str, known: PriceBook | None
) -> PriceList:
    """All hourly types of a region. A type with more than one price is refused: never the first, never the least.

    Of a type that `known` has, only price and components are taken. Burstable types are left out.
    """
    offers: dict[str, list[Offer]] = defaultdict(list)
    left_out = []
    for product, terms in (row for document in documents for row in products(document)):
        if product.get("attributes", {}).get("regionCode") != region:
            continue
        row = read_row(product, terms)
        if isinstance(row, Refusal):
            left_out.append(row)
        elif not re.match(r"ml\.t\d", row.name):
            offers[row.name].append(row)
    by_name = {one.name: one for one in known.types} if known else {}
    types, refused = [], []
    for name in sorted(offers):
        try:
            types.append(_type(name, offers[name], by_name))
        except ValueError as error:
            refused.append(Refusal(name, str(error)))
    return PriceList(tuple(types), tuple(refused), tuple(left_out))
