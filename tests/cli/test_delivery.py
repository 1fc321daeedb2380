"""What the steps of the delivery pipeline call: train because of a push, smoke, image, push."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli import delivery, image, smoke
from cli.__main__ import main
from cli.delivery import push, write_variables
from cli.image import build_and_push, take_over
from cli.source import Aws, CommandError
from config.delivery import Delivery
from config.schema import ROOT
from domain.names import Names
from domain.releases import ReleaseRecord, no_release

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7"
RECORD = ReleaseRecord("000042", "s3://b/m.tar.gz", "repo@sha256:1", PACKAGE, ("ml.c5.large",)).to_parameter()
FEATURES = {"place": "category", "heat": "number"}


class Fake:
    """The clients of a deployment: Serving's parameter, `start_training`, and the endpoint."""

    def __init__(self) -> None:
        self.release = RECORD
        self.status = "UPDATE_COMPLETE"
        self.verdict, self.rule = "start", "push"
        self.answer: Any = {"model": PACKAGE, "predictions": [0.1, 0.2, 0.3]}
        self.sent: list[dict[str, Any]] = []

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        parameter = {"ParameterKey": "Release", "ParameterValue": "/k", "ResolvedValue": self.release}
        stack = {"StackName": StackName, "StackStatus": self.status, "Parameters": [parameter]}
        return {"Stacks": [stack]}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.sent.append({"function": FunctionName, **json.loads(Payload)})
        decision = {"verdict": self.verdict, "rule": self.rule, "reasons": ["because"]}
        plan = {"run_id": "run-1"} if self.verdict == "start" else None
        return {"Payload": io.BytesIO(json.dumps({"decision": decision, "plan": plan}).encode())}

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.sent.append(request)
        return {"Body": io.BytesIO(json.dumps(self.answer).encode())}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(Aws, "client", lambda _self, _service: made)
    monkeypatch.setattr(delivery, "commit_of", lambda _root: "c" * 40)
    return made


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("UPDATE_IN_PROGRESS", 0, "a release or a deploy goes on"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", 0, "a release or a deploy goes on"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", 0, "a release or a deploy goes on"),
        ("UPDATE_COMPLETE", 3, "nothing goes on"),
        ("UPDATE_ROLLBACK_FAILED", 3, "UPDATE_ROLLBACK_FAILED"),
        ("REVIEW_IN_PROGRESS", 3, "REVIEW_IN_PROGRESS"),
    ],
)
def test_busy_tells_by_its_exit_code_whether_there_is_an_end_to_wait_for(
    fake: Fake, capsys: Any, status: str, code: int, said: str
) -> None:
    """In the last two states Serving changes no more by itself: nobody waits for that."""
    fake.status = status
    assert main(["busy"]) == code
    assert said in capsys.readouterr().out


def train(tmp_path: Path) -> dict[str, str]:
    """What `./tideline train` leaves for the shell of the next stages."""
    file = tmp_path / "build" / "variables.env"
    command = ["train", "--incident", "sha256:1", "--delivery", "e-1", "--variables", str(file)]
    assert main(command) == 0
    lines = file.read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def test_an_archive_of_a_commit_knows_it_and_so_does_a_checkout(tmp_path: Path) -> None:
    run = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True)
    run(["git", "init", "-q"])
    for name in ("COMMIT", ".gitattributes"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    run(["git", "add", "."])
    run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "m"])
    head = run(["git", "rev-parse", "HEAD"]).stdout.decode().strip()
    assert delivery.commit_of(tmp_path) == head
    archive = run(["git", "archive", "--format=zip", "HEAD"]).stdout
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        zipped.extractall(tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "COMMIT").read_text().strip() == head
    assert delivery.commit_of(tmp_path / "unpacked") == head


def test_a_push_that_trains_hands_on_the_run_on_which_it_waits(
    fake: Fake, tmp_path: Path, capsys: Any
) -> None:
    assert train(tmp_path) == {"TRAINING": "started", "RUN_ID": "run-1", "SERVES": "yes"}
    assert fake.sent == [
        {
            "function": "tideline-dev-start-training",
            "cause": "push",
            "incident": "sha256:1",
            "commit": "c" * 40,
            "delivery": "e-1",
        }
    ]
    assert "run-1 trains: because" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rule", "told"),
    [("nothing-new", "nothing new, nothing trained: because"), ("no-snapshot", "nothing trained: because")],
)
def test_a_push_that_trains_nothing_says_so_and_still_proves_what_serves(
    fake: Fake, tmp_path: Path, capsys: Any, rule: str, told: str
) -> None:
    fake.verdict, fake.rule = "skip", rule
    assert train(tmp_path) == {"TRAINING": "nothing", "RUN_ID": "none", "SERVES": "yes"}
    assert capsys.readouterr().out.startswith(told)


@pytest.mark.parametrize("rule", ["in-flight", "paused", "budget"])
def test_a_push_whose_new_model_is_not_trained_fails_and_says_why(
    fake: Fake, tmp_path: Path, capsys: Any, rule: str
) -> None:
    fake.verdict, fake.rule = "skip", rule
    assert main(["train", "--incident", "sha256:1", "--variables", str(tmp_path / "v")]) != 0
    assert "new, and not trained: because" in capsys.readouterr().err


def test_before_the_first_model_there_is_nothing_to_prove(fake: Fake, tmp_path: Path) -> None:
    fake.verdict, fake.rule, fake.release = "skip", "no-snapshot", no_release()
    assert train(tmp_path)["SERVES"] == "no"


def test_variables_are_quoted_for_the_shell(tmp_path: Path) -> None:
    write_variables(tmp_path / "v", {"A": "it's $HOME"})
    shown = subprocess.run(
        ["sh", "-c", f'. {tmp_path}/v; printf %s "$A"'], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "it's $HOME"


def test_smoke_passes_if_the_released_model_answers_each_row_with_a_finite_number(fake: Fake) -> None:
    assert "tideline-dev/7 answers 3 rows" in smoke.smoke(aws(), FEATURES)
    (request,) = fake.sent
    rows = json.loads(request["Body"])["instances"]
    assert rows[0] == {"place": "", "heat": None}
    assert all(set(row) == set(FEATURES) for row in rows)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"model": PACKAGE, "predictions": [0.1, float("nan"), 0.3]}, "expected finite numbers"),
        ({"model": PACKAGE, "predictions": [0.1]}, "got 1 predictions for 3 rows"),
        ({"model": "another", "predictions": [0.1, 0.2, 0.3]}, "is released"),
        ("text", "got 0 predictions"),
    ],
)
def test_smoke_fails_on_any_other_answer(fake: Fake, answer: Any, told: str) -> None:
    fake.answer = answer
    with pytest.raises(CommandError, match=told):
        smoke.smoke(aws(), FEATURES)


def test_smoke_fails_while_no_model_is_live(fake: Fake) -> None:
    fake.release = no_release()
    with pytest.raises(CommandError, match="no model is live"):
        smoke.smoke(aws(), FEATURES)


def test_a_batch_is_asked_nothing_and_says_what_its_next_transform_runs(fake: Fake) -> None:
    told = smoke.smoke_batch(aws(), hour_utc=2)
    assert told.startswith("tideline-dev/7 is live and serves by batch")
    assert fake.sent == []
    fake.release = no_release()
    with pytest.raises(CommandError, match="no model is live"):
        smoke.smoke_batch(aws(), hour_utc=2)


def aws(environment: str = "dev") -> Aws:
    return Aws(Names("tideline", environment), "us-east-1")


MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Two repositories, and a docker: each image that it pushes is another one, and a copy is the one it was told."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/docker")
    for name in ("image.txt", "uv.txt"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / "requirements" / name).write_text("x")
    with mock_aws():
        ecr = boto3.client("ecr", region_name="us-east-1")
        for name in ("tideline-dev", "tideline-prod"):
            ecr.create_repository(repositoryName=name)

        def run(command: list[str], *, stdin: str | None = None) -> str:
            calls.append(command[1])
            assert "imagetools" not in command or "--prefer-index=false" in command  # else another digest
            if command[1] == "push" or "imagetools" in command:
                target = next(word for word in reversed(command) if ":" in word and "@" not in word)
                name, tag = target.removeprefix("--tag=").split("/", 1)[1].split(":")
                manifest = copied(command[-1]) if "imagetools" in command else built()
                digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
                ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=tag, imageDigest=digest)
                ecr.start_image_scan(repositoryName=name, imageId={"imageTag": tag})
            return ""

        def built() -> str:
            return json.dumps({**MANIFEST, "build": calls.count("push")})

        def copied(source: str) -> str:
            name, digest = source.split("/", 1)[1].split("@")
            (found,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])["images"]
            return str(found["imageManifest"])

        calls: list[str] = []
        monkeypatch.setattr(image, "_run", run)
        ecr.docker_calls = calls
        yield ecr


def test_the_same_content_is_built_once(registry: Any, tmp_path: Path) -> None:
    digest = build_and_push(aws(), tmp_path)
    before = len(registry.docker_calls)
    assert build_and_push(aws(), tmp_path) == digest
    assert len(registry.docker_calls) == before
    (tmp_path / "requirements" / "image.txt").write_text("another library")
    assert build_and_push(aws(), tmp_path) != digest


def test_another_environment_takes_over_the_very_digest(registry: Any, tmp_path: Path) -> None:
    digest = build_and_push(aws(), tmp_path)
    assert take_over(aws("prod"), aws("dev"), tmp_path) == digest
    assert registry.docker_calls.count("push") == 1


def test_an_image_that_arrives_under_another_digest_is_refused(
    registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_and_push(aws(), tmp_path)
    docker = image._run

    def rebuilds(command: list[str], *, stdin: str | None = None) -> str:
        if "imagetools" not in command:
            return docker(command, stdin=stdin)
        return docker(["docker", "push", next(w for w in command if w.startswith("--tag="))])

    monkeypatch.setattr(image, "_run", rebuilds)
    with pytest.raises(CommandError, match="arrived in tideline-prod as"):
        take_over(aws("prod"), aws("dev"), tmp_path)


def test_an_image_that_was_not_built_cannot_be_taken_over(registry: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"./tideline --env dev image"):
        take_over(aws("prod"), aws("dev"), tmp_path)


def test_a_critical_finding_of_the_scan_refuses_the_image(
    registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = {"name": "CVE-2026-1", "severity": "CRITICAL"}
    real = Aws.client

    def client(self: Aws, service: str) -> Any:
        ecr = real(self, service)
        ecr.describe_image_scan_findings = lambda **_: {"imageScanFindings": {"findings": [finding]}}
        ecr.get_waiter = lambda _: Waited()
        return ecr

    monkeypatch.setattr(Aws, "client", client)
    with pytest.raises(CommandError, match="1 that are critical: CVE-2026-1; allowed: none"):
        build_and_push(aws(), tmp_path)


class Waited:
    def wait(self, **_: Any) -> None:
        return None


def repository(directory: Path) -> Path:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    (directory / "a.txt").write_text("a")
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "a change"]):
        subprocess.run(["git", *command], cwd=directory, check=True, capture_output=True)
    return directory


def test_a_push_puts_a_zip_of_the_commit_where_the_pipeline_waits(registry: Any, tmp_path: Path) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="source-bucket")
    delivery = Delivery.model_validate({"name": "tideline", "source": {"s3": {"bucket": "source-bucket"}}})
    assert "a change" in push(delivery, repository(tmp_path), "HEAD")
    kept = s3.get_object(Bucket="source-bucket", Key="source.zip")
    assert kept["Body"].read()[:2] == b"PK"
    assert kept["Metadata"]["codepipeline-artifact-revision-summary"].endswith("a change")


def test_a_delivery_from_a_repository_says_how_to_push(tmp_path: Path) -> None:
    delivery = Delivery.model_validate({"name": "tideline", "source": {"codecommit": {"repository": "a"}}})
    with pytest.raises(CommandError, match="git push"):
        push(delivery, tmp_path, "HEAD")


def test_a_push_without_a_pipeline_says_how_to_get_one(registry: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="tideline-delivery is not deployed in us-east-1; `make pipeline`"):
        push(Delivery(name="tideline"), repository(tmp_path), "HEAD")


def test_a_push_of_head_names_what_is_not_committed(registry: Any, tmp_path: Path) -> None:
    delivery = Delivery.model_validate({"name": "tideline", "source": {"s3": {"bucket": "zips"}}})
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="zips")
    root = repository(tmp_path)
    (root / "later.txt").write_text("x")
    assert "not committed: 1 changed files: later.txt" in push(delivery, root, "HEAD")
    assert "not committed" not in push(delivery, root, "HEAD~0")
