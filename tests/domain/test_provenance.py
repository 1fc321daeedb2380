"""What may be signed, and what may be served: decided on what was looked at just now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.archive import Digest
from domain.manifest import Manifest
from domain.provenance import Claim, Home, NotSigned, judge_signed, judge_unsigned, manifest_of
from domain.releases import REFUSALS, ReleaseRecord

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tideline-dev"
IMAGE = f"{REPOSITORY}@sha256:" + "a" * 64
HOME = Home("artefacts", REPOSITORY)
DATA, REPORT = "s3://artefacts/runs/run-1/model/model.tar.gz", "s3://artefacts/runs/run-1/report/report.json"
WHOLE, PART = Digest("1" * 64, 7), Digest("2" * 64, 5)
PLAN = {"run_id": "run-1", "snapshot_id": "s", "content_id": "c", "image_digest": IMAGE.partition("@")[2]}
JUDGED: dict[str, Any] = {
    "plan": PLAN,
    "gate": {"passed": True},
    "artefact": {"archive": WHOLE.text(), "files": {"model.onnx": PART.text()}},
}
TEXTS = {"report": Digest("3" * 64, 3), "plan": Digest("4" * 64, 4)}


def made(**changes: Any) -> Manifest:
    given = {"run_id": "run-1", "image": IMAGE, "plan": PLAN, "report": JUDGED, "archive": WHOLE}
    return manifest_of(**{**given, "files": {"model.onnx": PART}, "texts": TEXTS, **changes})


@pytest.mark.parametrize(
    ("places", "rule"),
    [
        ((DATA, REPORT, IMAGE), None),
        (("s3://evil/runs/run-1/model.tar.gz", REPORT, IMAGE), "from-elsewhere"),
        (("s3://artefacts-else/runs/run-1/model.tar.gz", REPORT, IMAGE), "from-elsewhere"),
        (("s3://artefacts/monitor/model.tar.gz", REPORT, IMAGE), "from-elsewhere"),
        (("https://example.com/model.tar.gz", REPORT, IMAGE), "from-elsewhere"),
        (("", REPORT, IMAGE), "from-elsewhere"),
        ((DATA, "s3://evil/runs/run-1/report.json", IMAGE), "from-elsewhere"),
        ((DATA, "", IMAGE), "from-elsewhere"),
        ((DATA, REPORT, f"{REPOSITORY}:latest"), "other-image"),
        ((DATA, REPORT, IMAGE.replace("123456789012", "210987654321")), "other-image"),
        ((DATA, REPORT, IMAGE.replace("tideline-dev@", "tideline-dev-else@")), "other-image"),
        ((DATA, REPORT, f"{IMAGE}0"), "other-image"),
        ((DATA, REPORT, f"{IMAGE}\n"), "other-image"),
        ((DATA, REPORT, ""), "other-image"),
    ],
)
def test_what_lies_elsewhere_and_an_image_without_its_digest_are_strays(
    places: tuple[str, str, str], rule: str | None
) -> None:
    found = HOME.stray(*places)
    assert (found[0] if found else None) == rule
    if found:
        assert "allowed: " in found[1]


def test_what_was_judged_and_passed_has_a_manifest() -> None:
    manifest = made()
    assert (manifest.archive, manifest.files, manifest.commit) == (WHOLE, {"model.onnx": PART}, "unknown")
    assert (
        made(plan={**PLAN, "commit": "8c20"}, report={**JUDGED, "plan": {**PLAN, "commit": "8c20"}}).commit
        == "8c20"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"archive": Digest("9" * 64, 7)}, "the artefact that was judged"),
        ({"archive": replace(WHOLE, size=8)}, "the artefact that was judged"),
        ({"files": {"model.onnx": WHOLE}}, "the artefact that was judged"),
        ({"files": {"model.onnx": PART, "evil.py": PART}}, "the artefact that was judged"),
        ({"run_id": "run-2"}, "the plan is of 'run-1'"),
        ({"plan": {**PLAN, "snapshot_id": "mine"}}, "the report judged"),
        ({"report": {**JUDGED, "gate": {"passed": False}}}, "the gate passed it: False"),
        ({"report": {**JUDGED, "gate": {}}}, "the gate passed it: None"),
        ({"report": {"plan": PLAN, "gate": {"passed": True}}}, "judged is {}"),
        ({"image": IMAGE.replace("a" * 64, "b" * 64)}, "the image is 'sha256:b"),
    ],
)
def test_what_was_not_judged_so_is_not_signed(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotSigned, match=f"is not signed: .*{reason}"):
        made(**changes)


CLAIM = Claim("arn:p/1", DATA, IMAGE, REPORT, (made().to_text(), "c2ln"))


def judged(claim: Claim = CLAIM, **changes: Any) -> tuple[str, str, str]:
    given = {"is_genuine": True, "archive": WHOLE, "report": TEXTS["report"], **changes}
    decision = judge_signed(claim, **given)
    assert (decision.verdict == "refuse") == (decision.rule in REFUSALS)
    assert decision.inputs["package"] == claim.package_arn
    return decision.verdict, decision.rule, decision.reasons[0]


def test_a_package_that_is_what_the_key_vouches_for_is_trusted() -> None:
    assert judged()[:2] == ("trust", "signed")


@pytest.mark.parametrize(
    ("claim", "changes", "rule", "reason"),
    [
        (CLAIM, {"is_genuine": False}, "wrong-signature", "did not sign"),
        (replace(CLAIM, signed=("hello", "c2ln")), {}, "wrong-signature", "cannot be read"),
        (CLAIM, {"archive": replace(WHOLE, size=8)}, "tampered", "the archive is"),
        (CLAIM, {"archive": None}, "tampered", "the archive is not there"),
        (CLAIM, {"report": WHOLE}, "tampered", "the report is"),
        (CLAIM, {"report": None}, "tampered", "the report is not there"),
        (replace(CLAIM, image=IMAGE.replace("a" * 64, "b" * 64)), {}, "tampered", "the image is"),
        (
            replace(CLAIM, model_data=DATA.replace("run-1", "run-7")),
            {},
            "tampered",
            "run of its model data is run-7",
        ),
        (
            replace(CLAIM, report_uri=REPORT.replace("run-1", "run-7")),
            {},
            "tampered",
            "run of its report is run-7",
        ),
    ],
)
def test_a_package_that_is_not_is_refused_with_the_reason(
    claim: Claim, changes: dict[str, Any], rule: str, reason: str
) -> None:
    verdict, found, said = judged(claim, **changes)
    assert (verdict, found) == ("refuse", rule)
    assert reason in said


def release(outcome: str = "live", **changes: Any) -> dict[str, Any]:
    record = ReleaseRecord("000001", DATA, IMAGE, "arn:p/1", ("ml.c5.large",))
    return {
        "release_id": "000001",
        "package_arn": "arn:p/1",
        "parameter": record.to_parameter(),
        "outcome": outcome,
        **changes,
    }


@pytest.mark.parametrize(
    ("releases", "rule"),
    [
        ([release()], "served-before-signing"),
        ([release("held")], "served-before-signing"),
        ([release("failed"), release()], "served-before-signing"),
        ([], "unsigned"),
        ([release("rolled-back")], "unsigned"),
        ([release(package_arn="arn:p/2")], "unsigned"),
        ([release(proof={"manifest": "m"})], "unsigned"),
        ([release(parameter=release()["parameter"].replace("run-1", "run-2"))], "unsigned"),
        ([release(parameter=release()["parameter"].replace("a" * 64, "b" * 64))], "unsigned"),
    ],
)
def test_only_what_served_before_anything_was_signed_comes_again_unsigned(
    releases: list[dict[str, Any]], rule: str
) -> None:
    decision = judge_unsigned(replace(CLAIM, signed=None), releases)
    assert (decision.rule, decision.verdict) == (rule, "refuse" if rule == "unsigned" else "trust")
