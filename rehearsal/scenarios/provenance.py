"""Did what serves come with a proof, and has every package that a run registered its card?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from domain.manifest import PROOF_VARIABLES, signed_part
from domain.names import MODEL_OUTPUT
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome


def check_provenance(outcome: Outcome) -> Iterator[Finding]:
    sagemaker, group = outcome.deployment.account.client("sagemaker"), outcome.deployment.names.endpoint
    found = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    arns = [one["ModelPackageArn"] for one in found]
    packages = {arn: sagemaker.describe_model_package(ModelPackageName=arn) for arn in arns}
    model = sagemaker.describe_model(ModelName=_model_name(outcome.deployment))
    given: dict[str, str] = model["PrimaryContainer"]["Environment"]
    signed = signed_part(packages.get(given["TIDELINE_MODEL"], {}).get("CustomerMetadataProperties", {}))
    handed = tuple(given.get(name, "") for name in PROOF_VARIABLES)
    is_held = signed is not None and handed[:2] == signed and len(handed[2]) > 1
    yield Finding("what serves was held against its signature", is_held, f"{handed} for {signed}")
    without = [
        arn for arn, one in packages.items() if "MetadataProperties" in one and not _has_card(sagemaker, arn)
    ]
    yield Finding("every package of a run has its model card", bool(packages) and not without, f"{without}")


def _model_name(deployment: Deployment) -> str:
    """The model that the endpoint runs; where there is none, the one that the next transform will."""
    if not deployment.config.serving.has_endpoint:
        stacks = deployment.account.client("cloudformation").describe_stacks(
            StackName=deployment.names.stack("serving")
        )
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stacks["Stacks"][0]["Outputs"]}
        return str(outputs[MODEL_OUTPUT])
    sagemaker = deployment.account.client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=deployment.names.endpoint)["EndpointConfigName"]
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    return str(variants[0]["ModelName"])


def _has_card(sagemaker: Any, package_arn: str) -> bool:
    try:
        sagemaker.describe_model_card(ModelCardName="-".join(package_arn.split("/")[-2:]))
    except ClientError:
        return False
    return True
