import base64
from typing import Any

import boto3
import pytest

from domain.archive import Digest
from domain.manifest import PARTS, SIGNATURE, Manifest, signed_part
from domain.provenance import NotSigned
from tests.lambdas.local import IMAGE, Local
from tests.lambdas.signing_world import FILES, archive, plan, report, sign, write_run

RUN = "run-1"


def signed(local: Local) -> tuple[Manifest, dict[str, Any]]:
    answer = sign(local, RUN, write_run(local, RUN)[0])
    found = signed_part(answer)
    assert found is not None
    return Manifest.from_text(found[0]), answer


def test_the_manifest_names_what_lies_there_and_where_it_comes_from(local: Local) -> None:
    manifest, _ = signed(local)
    assert manifest.archive == Digest.of(archive())
    assert manifest.files == {name: Digest.of(content) for name, content in FILES.items()}
    assert (manifest.run, manifest.snapshot, manifest.content) == (RUN, "snap-1", "c0ffee")
    assert (manifest.commit, manifest.image) == ("c" * 40, IMAGE.partition("@")[2])
    assert manifest.report == Digest.of(local.read("artefacts", f"runs/{RUN}/report/report.json"))
    assert manifest.plan == Digest.of(local.read("artefacts", f"runs/{RUN}/plan/plan.json"))


def test_the_key_vouches_for_the_manifest_and_for_no_other(local: Local) -> None:
    manifest, answer = signed(local)

    def is_valid(text: str) -> bool:
        asked = {"KeyId": local.signing_key_arn, "SigningAlgorithm": "ECDSA_SHA_256"}
        signature = base64.b64decode(answer[SIGNATURE])
        found = boto3.client("kms").verify(Message=text.encode(), Signature=signature, **asked)
        return bool(found["SignatureValid"])

    assert is_valid(manifest.to_text())
    assert not is_valid(manifest.to_text().replace("snap-1", "snap-2"))


def test_each_value_fits_the_metadata_of_a_package_and_the_evidence_has_its_digests(local: Local) -> None:
    manifest, answer = signed(local)
    assert all(isinstance(value, str) and 0 < len(value) <= 256 for value in answer.values())
    assert answer["ReportDigest"] == f"sha256:{manifest.report.sha256}"
    assert (answer["BiasDigest"], answer["ProfileDigest"]) == ("sha256:" + "b" * 64, "sha256:" + "d" * 64)
    assert {*PARTS, SIGNATURE, "Commit"} < set(answer)


def test_it_writes_nothing(local: Local) -> None:
    write_run(local, RUN)
    before = local.keys("artefacts")
    sign(local, RUN, f"s3://artefacts/runs/{RUN}/model/model.tar.gz")
    assert local.keys("artefacts") == before


def test_a_plan_without_a_commit_is_signed_as_of_an_unknown_one(local: Local) -> None:
    model_data, uri = write_run(local, RUN)
    old = {**plan(RUN), "commit": ""}
    local.put_json(f"s3://artefacts/runs/{RUN}/plan/plan.json", old)
    local.put_json(uri, {**report(RUN, archive()), "plan": old})
    assert sign(local, RUN, model_data)["Commit"] == "unknown"


TAMPERED: dict[str, tuple[str, Any, str]] = {
    "another model": (
        "model/model.tar.gz",
        archive({**FILES, "model.onnx": b"evil"}),
        "the artefact that was",
    ),
    "one file more": ("model/model.tar.gz", archive({**FILES, "evil.py": b"evil"}), r"holds 'evil\.py'"),
    "another plan": ("plan/plan.json", plan(RUN, snapshot_id="mine"), "the report judged"),
}


@pytest.mark.parametrize("kind", sorted(TAMPERED))
def test_what_was_not_judged_is_not_signed(local: Local, kind: str) -> None:
    model_data, _ = write_run(local, RUN)
    key, content, reason = TAMPERED[kind]
    uri = f"s3://artefacts/runs/{RUN}/{key}"
    local.put(uri, content) if isinstance(content, bytes) else local.put_json(uri, content)
    with pytest.raises(NotSigned, match=f"{RUN} is not signed: .*{reason}"):
        sign(local, RUN, model_data)


@pytest.mark.parametrize(
    "uri", ["s3://somebody-elses/runs/run-1/model/model.tar.gz", "s3://artefacts/runs/run-11/model.tar.gz"]
)
def test_model_data_from_outside_the_run_are_not_even_read(local: Local, uri: str) -> None:
    write_run(local, RUN)
    s3 = local.script("s3", get_object=lambda **_: {})
    with pytest.raises(NotSigned, match="the model data lies at"):
        sign(local, RUN, uri)
    assert s3.called("get_object") == []
