"""Is an artefact what it says it is? Asked twice: before its manifest is signed, and before it is released."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.archive import Digest
from domain.decision import Decision
from domain.history import run_of
from domain.manifest import UNKNOWN, Manifest, ManifestError, signed_part
from domain.names import Prefix
from domain.releases import REFUSALS, ReleaseRecord, model_stamp

Body = Mapping[str, Any]
ELSEWHERE, OTHER_IMAGE, UNSIGNED, WRONG_SIGNATURE, TAMPERED = REFUSALS
SERVED = ("live", "held")


class NotSigned(Exception):
    """What is to be signed is not what was judged; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class Home:
    """Where artefacts and images of this deployment lie; from nowhere else is anything served."""

    artefacts_bucket: str
    image_repository: str

    def stray(self, model_data: str, report_uri: str, image: str) -> tuple[str, str] | None:
        """The rule and the reason by which these three are refused; None if all are at home."""
        runs = f"s3://{self.artefacts_bucket}/{Prefix.RUNS}"
        for what, uri in (("the model data", model_data), ("the report", report_uri)):
            if not uri.startswith(runs):
                return ELSEWHERE, f"{what} lies at {uri[:300]!r}; allowed: {runs}..."
        if not re.fullmatch(rf"{re.escape(self.image_repository)}@sha256:[0-9a-f]{{64}}", image):
            allowed = f"{self.image_repository}@sha256:<64 hexadecimal digits>"
            return OTHER_IMAGE, f"the image is {image[:300]!r}; allowed: {allowed}"
        return None


def manifest_of(
    *, run_id: str, image: str, plan: Body, report: Body, archive: Digest, files: Mapping[str, Digest],
    texts: Mapping[str, Digest],
) -> Manifest:  # fmt: skip
    """What is signed of a run: its artefact, if it is to the byte what evaluate judged, and what it comes from.

    `archive` and `files` are looked at just now; `texts` are the digests of report.json and plan.json.
    Raises NotSigned otherwise.
    """
    digest = image.partition("@")[2]
    judged = report.get("artefact", {})
    seen = {"archive": archive.text(), "files": {name: one.text() for name, one in files.items()}}
    for what, got, allowed in (
        ("the plan is of", plan.get("run_id"), run_id),
        ("the report judged", report.get("plan"), plan),
        ("the gate passed it:", report.get("gate", {}).get("passed"), True),
        ("the image is", digest, plan.get("image_digest") or digest),
        ("the artefact that was judged is", judged, seen),
    ):
        if got != allowed:
            raise NotSigned(f"{run_id} is not signed: {what} {got!r}; allowed: {allowed!r}")
    return Manifest(
        run=run_id,
        snapshot=plan["snapshot_id"],
        content=plan["content_id"],
        commit=plan.get("commit") or UNKNOWN,
        image=digest,
        archive=archive,
        report=texts["report"],
        plan=texts["plan"],
        files=files,
    )


@dataclass(frozen=True)
class Claim:
    """What a model package says of itself."""

    package_arn: str
    model_data: str
    image: str
    report_uri: str
    signed: tuple[str, str] | None
    """The manifest's text and its signature."""

    @classmethod
    def of(cls, package: Body, report_uri: str) -> Claim:
        """Of DescribeModelPackage's answer."""
        container = package["InferenceSpecification"]["Containers"][0]
        return cls(
            package["ModelPackageArn"],
            container.get("ModelDataUrl", ""),
            container.get("Image", ""),
            report_uri,
            signed_part(package.get("CustomerMetadataProperties", {})),
        )

    def decided(self, rule: str, *reasons: str) -> Decision:
        stamp = model_stamp(self.package_arn)
        said = (
            tuple(f"{stamp} is not released: {reason}" for reason in reasons) if rule in REFUSALS else reasons
        )
        inputs = {"package": self.package_arn, "report": self.report_uri, "model_data": self.model_data}
        return Decision("release", "refuse" if rule in REFUSALS else "trust", rule, said, inputs)


def judge_unsigned(claim: Claim, releases: Sequence[Body]) -> Decision:
    """A package without a signature may come again only if it served before anything was signed, just as it is."""
    for body in releases:
        record = ReleaseRecord.from_parameter(body["parameter"])
        is_same = (record.model_data, record.image) == (claim.model_data, claim.image)
        served = body["package_arn"] == claim.package_arn and body["outcome"] in SERVED
        if served and is_same and "proof" not in body:
            return claim.decided("served-before-signing", f"release {body['release_id']} served it unsigned")
    return claim.decided(
        UNSIGNED, "its metadata hold no manifest with a signature; train again, and approve what comes of it"
    )


def judge_signed(
    claim: Claim, *, is_genuine: bool, archive: Digest | None, report: Digest | None
) -> Decision:
    """Does the key vouch for the manifest, and does the manifest speak of what lies there now?

    `archive` and `report` are looked at just now; None if the object is not there.
    """
    assert claim.signed is not None
    if not is_genuine:
        return claim.decided(WRONG_SIGNATURE, "the signing key did not sign its manifest")
    try:
        manifest = Manifest.from_text(claim.signed[0])
    except ManifestError as error:
        return claim.decided(WRONG_SIGNATURE, f"its manifest cannot be read: {error}")
    for what, got, signed in (
        ("the image", claim.image.partition("@")[2], manifest.image),
        ("the run of its model data", run_of(claim.model_data), manifest.run),
        ("the run of its report", run_of(claim.report_uri), manifest.run),
        ("the archive", archive and archive.text(), manifest.archive.text()),
        ("the report", report and report.text(), manifest.report.text()),
    ):
        if got != signed:
            return claim.decided(TAMPERED, f"{what} is {got or 'not there'}; signed is {signed}")
    return claim.decided("signed", f"the signing key vouches for its artefact, of {manifest.run}")
