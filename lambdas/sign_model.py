"""Sign the manifest of a model that passed its gate: this role may sign and read artefacts, and write none."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from domain.archive import ArchiveError, Digest, inspect
from domain.manifest import MODEL_FILES, SIGNATURE, SIGNING_ALGORITHM, Manifest, to_parts
from domain.names import Prefix
from domain.provenance import Home, NotSigned, manifest_of
from domain.settings import SignModelSettings
from lambdas import aws


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """{run_id, model_data, image} -> what the package holds of the signature, each value a text.

    Raises NotSigned, and so fails the run, if the artefact is not to the byte what evaluate judged.
    """
    settings = SignModelSettings.from_env(os.environ)
    run_id, model_data, image = (str(event[name]) for name in ("run_id", "model_data", "image"))
    run = f"{Prefix.RUNS}{run_id}"
    report_uri = f"s3://{settings.artefacts_bucket}/{run}/report/report.json"
    stray = Home(settings.artefacts_bucket, settings.image_repository).stray(model_data, report_uri, image)
    if stray or not model_data.startswith(f"s3://{settings.artefacts_bucket}/{run}/"):
        why = stray[1] if stray else f"the model data lies at {model_data[:300]!r}; allowed: {run}/..."
        raise NotSigned(f"{run_id} is not signed: {why}")
    report, plan = (_read(settings, f"{run}/{name}") for name in ("report/report.json", "plan/plan.json"))
    manifest = _manifest(settings, run_id, model_data, image, report, plan)
    signature = aws.client("kms").sign(
        KeyId=settings.signing_key_arn,
        Message=manifest.to_text().encode(),
        MessageType="RAW",
        SigningAlgorithm=SIGNING_ALGORITHM,
    )["Signature"]
    aws.log("manifest signed", run=run_id, manifest=manifest.to_text())
    return {
        **to_parts(manifest.to_text()),
        SIGNATURE: base64.b64encode(signature).decode(),
        **lineage(manifest, json.loads(report)),
    }


def _manifest(
    settings: SignModelSettings, run_id: str, model_data: str, image: str, report: bytes, plan: bytes
) -> Manifest:
    key = model_data.removeprefix(f"s3://{settings.artefacts_bucket}/")
    body = aws.client("s3").get_object(Bucket=settings.artefacts_bucket, Key=key)["Body"]
    try:
        archive, files = inspect(body, allowed=MODEL_FILES, what=key.rpartition("/")[2])
    except ArchiveError as error:
        raise NotSigned(f"{run_id} is not signed: {error}") from error
    return manifest_of(
        run_id=run_id,
        image=image,
        plan=json.loads(plan),
        report=json.loads(report),
        archive=archive,
        files=files,
        texts={"report": Digest.of(report), "plan": Digest.of(plan)},
    )


def lineage(manifest: Manifest, report: dict[str, Any]) -> dict[str, str]:
    """The commit, and the digests of the evidence as the registry writes them."""
    evidence = report["evidence"]
    return {
        "Commit": manifest.commit,
        "ReportDigest": f"sha256:{manifest.report.sha256}",
        "ProfileDigest": f"sha256:{evidence['profile.json']}",
        "BiasDigest": f"sha256:{evidence['bias.json']}",
    }


def _read(settings: SignModelSettings, key: str) -> bytes:
    return aws.read(aws.client("s3"), settings.artefacts_bucket, key)
