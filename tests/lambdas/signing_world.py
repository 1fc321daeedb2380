"""A signing key, and packages whose artefacts are signed as sign_model does."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import Any

from domain.archive import Digest
from domain.manifest import MODEL_FILES
from domain.settings import SignModelSettings
from lambdas import sign_model
from tests.lambdas.local import IMAGE, Local

REPOSITORY = IMAGE.partition("@")[0]
FILES = {name: f"what {name} holds".encode() for name in MODEL_FILES}


def archive(files: dict[str, bytes] | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in (files or FILES).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def plan(run_id: str, **facts: Any) -> dict[str, Any]:
    known = {"run_id": run_id, "snapshot_id": "snap-1", "content_id": "c0ffee", "commit": "c" * 40}
    return {**known, "image_digest": IMAGE.partition("@")[2], **facts}


def report(run_id: str, content: bytes) -> dict[str, Any]:
    """What evaluate says of an archive that holds FILES."""
    files = {name: Digest.of(one).text() for name, one in FILES.items()}
    return {
        "heldout_loss": 0.125,
        "gate": {"passed": True},
        "plan": plan(run_id),
        "artefact": {"archive": Digest.of(content).text(), "files": files},
        "evidence": {"bias.json": "b" * 64, "profile.json": "d" * 64},
    }


def write_run(local: Local, run_id: str, key: str = "model/model.tar.gz") -> tuple[str, str]:
    """All that a run leaves behind; returns where the model data and the report lie."""
    run, content = f"s3://artefacts/runs/{run_id}", archive()
    local.put_json(f"{run}/plan/plan.json", plan(run_id))
    report_uri = local.put_json(f"{run}/report/report.json", report(run_id, content))
    return local.put(f"{run}/{key}", content), report_uri


def sign(local: Local, run_id: str, model_data: str, image: str = IMAGE) -> dict[str, Any]:
    settings = SignModelSettings(
        artefacts_bucket="artefacts",
        image_repository=REPOSITORY,
        signing_key_arn=local.signing_key_arn,
    )
    return local.run(sign_model, settings, {"run_id": run_id, "model_data": model_data, "image": image})
