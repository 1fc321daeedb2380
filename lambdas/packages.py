"""Model packages as the registry shows them, and whether their artefacts are what was signed."""

from __future__ import annotations

import base64
from typing import Any

from botocore.exceptions import ClientError

from domain.archive import Digest
from domain.decision import Decision
from domain.manifest import NO_PROOF, SIGNING_ALGORITHM, Proof
from domain.provenance import Claim, Home, judge_signed, judge_unsigned
from domain.settings import ReleaseModelSettings
from lambdas import aws, people
from lambdas.ledger import Ledger


def describe(package_arn: str) -> dict[str, Any]:
    """What the registry says of a package; one that is gone has no report and cannot be approved."""
    try:
        found: dict[str, Any] = aws.client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {"ModelPackageArn": package_arn, "ModelApprovalStatus": "deleted"}
    return found


def report_uri(package: dict[str, Any]) -> str:
    """Where the report of the run lies that made it; it names the run."""
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {})
    return str(quality.get("Statistics", {}).get("S3Uri", ""))


def trust(settings: ReleaseModelSettings, ledger: Ledger, package: dict[str, Any]) -> tuple[Decision, Proof]:
    """May the package be served? And the proof that its container asks for."""
    claim = Claim.of(package, report_uri(package))
    stray = Home(settings.artefacts_bucket, settings.image_repository).stray(
        claim.model_data, claim.report_uri, claim.image
    )
    if stray:
        return claim.decided(*stray), NO_PROOF
    if claim.signed is None:
        return judge_unsigned(claim, ledger.releases()), NO_PROOF
    text, signature = claim.signed
    is_genuine = _is_genuine(settings.signing_key_arn, text, signature)
    archive, report = (_digest(uri) if is_genuine else None for uri in (claim.model_data, claim.report_uri))
    decision = judge_signed(claim, is_genuine=is_genuine, archive=archive, report=report)
    if decision.verdict != "trust":
        return decision, NO_PROOF
    public = aws.client("kms").get_public_key(KeyId=settings.signing_key_arn)["PublicKey"]
    return decision, Proof(text, signature, base64.b64encode(public).decode())


def tell_of_refusal(settings: ReleaseModelSettings, ledger: Ledger, decision: Decision) -> None:
    """Nothing serves it, and people hear why, once."""
    group = settings.model_package_group
    people.tell(
        ledger,
        settings.topic_arn,
        about=f"{decision.inputs['package']} {decision.rule}",
        subject=f"{group}: not released",
        message=f"{group}: {'; '.join(decision.reasons)}: see docs/runbooks/signature.md",
    )


def _is_genuine(key_arn: str, text: str, signature: str) -> bool:
    try:
        answer = aws.client("kms").verify(
            KeyId=key_arn,
            Message=text.encode(),
            MessageType="RAW",
            Signature=base64.b64decode(signature, validate=True),
            SigningAlgorithm=SIGNING_ALGORITHM,
        )
    except ValueError:  # no base64
        return False
    except ClientError as error:
        if error.response["Error"]["Code"] != "KMSInvalidSignatureException":
            raise
        return False
    return bool(answer["SignatureValid"])


def _digest(uri: str) -> Digest | None:
    """Of an object as it lies there now; None if there is none."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3 = aws.client("s3")
    try:
        return Digest.of_stream(s3.get_object(Bucket=bucket, Key=key)["Body"])
    except s3.exceptions.NoSuchKey:
        return None
