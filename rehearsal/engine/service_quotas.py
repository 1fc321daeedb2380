"""Service Quotas, as far as SageMaker's instances go: what holds here, which is that no type is lacking."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

from rehearsal.engine.moto_seams import developer_tools as seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

USAGES = {
    "TrainingInstanceType": "training job usage",
    "ProcessingInstanceType": "processing job usage",
    "ProductionVariantInstanceType": "endpoint usage",
    "TransformInstanceType": "transform job usage",
}
"""How AWS names the quota of a type, by the list of types in SageMaker's own model."""
INSTANCES = 100.0
"""Of each type, for each use: more than anything here asks for. AWS gives a new account fewer, often none."""
MOST_A_PAGE = 100


def install(account: Account) -> None:
    def quotas(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("ServiceCode") != "sagemaker":
            what = f"the service {request.get('ServiceCode')} does not exist here; there is: sagemaker"
            raise seam.error("NoSuchResourceException", what)
        first, most = int(request.get("NextToken", 0)), int(request.get("MaxResults", MOST_A_PAGE))
        found, last = of_sagemaker(account.region), first + most
        more = {"NextToken": str(last)} if last < len(found) else {}
        return {"Quotas": found[first:last], **more}

    handlers = dict.fromkeys(("ListServiceQuotas", "ListAWSDefaultServiceQuotas"), quotas)
    seam.answer(account, "service-quotas", handlers)


@cache
def of_sagemaker(region: str) -> list[dict[str, Any]]:
    return [
        {
            "ServiceCode": "sagemaker",
            "ServiceName": "Amazon SageMaker",
            "QuotaName": name,
            "Value": INSTANCES,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
            "QuotaArn": f"arn:aws:servicequotas:{region}::sagemaker/{number}",
        }
        for number, name in enumerate(_names())
    ]


def _names() -> Iterator[str]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    for shape, usage in USAGES.items():
        yield from (f"{one} for {usage}" for one in model.shape_for(shape).enum)
