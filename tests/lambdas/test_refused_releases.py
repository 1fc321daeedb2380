"""A package whose artefact, image or signature is not what it should be: nothing serves it, and people hear why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from domain.manifest import PARTS, PROOF_VARIABLES, SIGNATURE
from domain.names import PROOF_PARAMETER
from domain.releases import REFUSALS, ReleaseRecord
from rehearsal.scenarios import brought
from tests.lambdas import releasing_world, signing_world
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, IMAGE, NOW, Local, Scripted, refused
from tests.lambdas.releasing_world import SETTINGS, Approve, Register, close
from tests.lambdas.signing_world import FILES, archive

RUN = "s3://artefacts/runs/run-0"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(autouse=True)
def _people(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing_world, "SETTINGS", replace(SETTINGS, topic_arn=local.topic_arn))


def again(package: str, change: Change) -> str:
    """Register a package once more, with something in it changed by whoever may write to the registry."""
    sagemaker = boto3.client("sagemaker")
    found = sagemaker.describe_model_package(ModelPackageName=package)
    asked = {
        name: found[name]
        for name in (
            "InferenceSpecification",
            "ModelMetrics",
            "CustomerMetadataProperties",
            "ModelApprovalStatus",
        )
    }
    change(asked)
    return str(sagemaker.create_model_package(ModelPackageGroupName=DEPLOYMENT, **asked)["ModelPackageArn"])


def container(**changes: str) -> Change:
    return lambda asked: asked["InferenceSpecification"]["Containers"][0].update(changes)


def metadata(**changes: str) -> Change:
    return lambda asked: asked["CustomerMetadataProperties"].update(changes)


def unsigned(asked: dict[str, Any]) -> None:
    for name in (*PARTS, SIGNATURE):
        del asked["CustomerMetadataProperties"][name]


FORGED: dict[str, tuple[Change, str, str]] = {
    "without a signature": (unsigned, "unsigned", "no manifest with a signature"),
    "with a signature of nobody's": (metadata(Signature="AAAA"), "wrong-signature", "did not sign"),
    "with a signature that is no base64": (metadata(Signature="!"), "wrong-signature", "did not sign"),
    "with model data in another bucket": (
        container(ModelDataUrl="s3://evil/runs/run-0/model/model.tar.gz"), "from-elsewhere", "s3://evil/",
    ),
    "with an image by its tag": (
        container(Image=IMAGE.partition("@")[0] + ":latest"), "other-image", "allowed: .*@sha256",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(FORGED))
def test_a_forged_package_is_not_released_and_people_hear_why(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted, kind: str
) -> None:
    change, rule, reason = FORGED[kind]
    package = again(register(), change)
    answer = approve(package)
    assert (answer["verdict"], answer["rule"]) == ("refuse", rule)
    assert rule in REFUSALS
    (told,) = local.messages()
    assert re.search(reason, told)
    assert "is not released" in told
    assert "docs/runbooks/signature.md" in told
    assert cloudformation.called("update_stack") == []
    assert local.ledger.open_release_body() is None
    assert local.ledger.waiting() == []


def test_what_was_changed_after_it_was_signed_is_not_released(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted
) -> None:
    package = register()
    local.put(f"{RUN}/model/model.tar.gz", archive({**FILES, "model.onnx": b"evil"}))
    answer = approve(package)
    assert (answer["verdict"], answer["rule"]) == ("refuse", "tampered")
    assert "the archive is" in answer["reasons"][0]
    assert cloudformation.called("update_stack") == []


def test_an_artefact_that_is_gone_is_not_released(local: Local, approve: Approve, register: Register) -> None:
    package = register()
    for version in local.s3.list_object_versions(Bucket="artefacts", Prefix="runs/run-0/model/")["Versions"]:
        local.s3.delete_object(Bucket="artefacts", Key=version["Key"], VersionId=version["VersionId"])
    assert "the archive is not there" in approve(package)["reasons"][0]


@pytest.mark.parametrize(
    ("said", "is_gone"),
    [("not authorized to perform: s3:ListBucket on resource", True), ("Access Denied", False)],
)
def test_what_s3_says_of_a_missing_key_to_who_may_not_list_is_told_from_any_other_refusal(
    local: Local, approve: Approve, register: Register, said: str, is_gone: bool
) -> None:
    def denied(**_: Any) -> dict[str, Any]:
        raise refused("AccessDenied", said)

    package = register()
    local.script("s3", get_object=denied)
    if is_gone:
        assert "the archive is not there" in approve(package)["reasons"][0]
    else:
        with pytest.raises(Exception, match="Access Denied"):
            approve(package)


def test_aws_refuses_a_wrong_signature_instead_of_answering_no(
    local: Local, approve: Approve, register: Register
) -> None:
    def invalid(**_: Any) -> dict[str, Any]:
        raise refused("KMSInvalidSignatureException", "")

    package = register()
    local.script("kms", verify=invalid)
    assert approve(package)["rule"] == "wrong-signature"


def test_a_key_that_cannot_be_asked_is_an_error_and_no_refusal(
    local: Local, approve: Approve, register: Register
) -> None:
    """The event comes again then; a refusal would be for good."""

    def throttled(**_: Any) -> dict[str, Any]:
        raise refused("ThrottlingException", "slow down")

    package = register()
    local.script("kms", verify=throttled)
    with pytest.raises(Exception, match="slow down"):
        approve(package)
    assert local.decisions("release") == []


def test_people_hear_of_a_refusal_once_and_a_new_approval_is_looked_at_anew(
    local: Local, approve: Approve, register: Register
) -> None:
    package = register()
    good = local.read("artefacts", "runs/run-0/model/model.tar.gz")
    local.put(f"{RUN}/model/model.tar.gz", b"evil")
    assert [approve(package)["rule"] for _ in range(2)] == ["tampered", "approval-handled"]
    assert len(local.messages()) == 1
    local.put(f"{RUN}/model/model.tar.gz", good)
    local.at(NOW.replace(hour=14))
    assert approve(package)["release_id"] == "000001"


def test_serving_is_handed_the_proof_that_the_container_asks_for(
    local: Local, approve: Approve, register: Register, serving: Any, cloudformation: Scripted
) -> None:
    serving.takes_proofs = True
    approve(register())
    (update,) = cloudformation.called("update_stack")
    given = {one["ParameterKey"]: one.get("ParameterValue", "") for one in update["Parameters"]}
    manifest, signature, public_key = given[PROOF_PARAMETER].split(",")
    assert manifest.startswith("tideline-manifest=1 run=run-0 ")
    assert all(len(value) <= 1024 for value in (manifest, signature, public_key))
    assert len(PROOF_VARIABLES) == 3


@pytest.mark.parametrize(("outcome", "rule"), [("live", None), ("rolled-back", "unsigned")])
def test_what_served_before_anything_was_signed_may_come_again_just_as_it_was(
    local: Local,
    approve: Approve,
    register: Register,
    serving: Any,
    cloudformation: Scripted,
    outcome: str,
    rule: Any,
) -> None:
    serving.takes_proofs = True
    package = again(register(), unsigned)
    as_before_signing(local, package, outcome)
    answer = approve(package)
    assert answer.get("rule") == rule
    if rule is None:
        (update,) = cloudformation.called("update_stack")
        assert {"ParameterKey": PROOF_PARAMETER, "ParameterValue": "-,-,-"} in update["Parameters"]


def test_a_package_that_was_released_with_a_proof_does_not_come_again_without_it(
    local: Local, approve: Approve, register: Register
) -> None:
    """Whoever takes the signature out of a package's metadata gains nothing."""
    package = register()
    approve(package)
    close(local, "live")
    sagemaker = boto3.client("sagemaker")
    sagemaker.update_model_package(
        ModelPackageArn=package, ModelApprovalStatus="Approved", CustomerMetadataProperties={"RunId": "x"}
    )
    local.at(NOW.replace(hour=14))
    assert approve(package)["rule"] == "unsigned"


def as_before_signing(local: Local, package: str, outcome: str) -> None:
    """A release that the ledger has from before anything was signed."""
    record = ReleaseRecord("000001", f"{RUN}/model/model.tar.gz", IMAGE, package, ("ml.c5.large",))
    facts = {"package_arn": package, "report_uri": f"{RUN}/report/report.json", "heldout_loss": 0.1}
    earlier = NOW.replace(hour=1)
    local.ledger.open_release(record, {**facts, "profile_uri": "s3://p"}, now=earlier)
    close(local, outcome)


def test_a_package_that_a_person_brings_and_has_signed_is_released(
    local: Local, approve: Approve, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the rehearsal does: an artefact of its own, judged by a report that names it, signed by the function."""
    other = archive({**FILES, "model.onnx": b"another model"})
    monkeypatch.setattr(brought, "changed", lambda *_: other)
    register()

    def read(uri: str) -> bytes:
        return local.read(*uri.removeprefix("s3://").split("/", 1))

    deployment: Any = SimpleNamespace(
        account=SimpleNamespace(client=boto3.client),
        read=read,
        read_json=lambda uri: json.loads(read(uri)),
        call=lambda _name, event: signing_world.sign(local, **event),
    )
    local.put("s3://artefacts/runs/run-0/report/profile.json", b"{}")
    first = f"{ACCOUNT}:model-package/{DEPLOYMENT}/1"
    package = brought.bring(deployment, first, brought.as_it_is)
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=package,
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties=boto3.client("sagemaker").describe_model_package(ModelPackageName=package)[
            "CustomerMetadataProperties"
        ],
    )
    assert approve(package) == {"release_id": "000001", "package": package}
    body = local.ledger.open_release_body()
    assert body is not None
    assert " run=brought-1-as_it_is " in body["proof"]["manifest"]
