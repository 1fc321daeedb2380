"""What stands in the place of docker and the CDK CLI in a build, and what may come of it under the build's role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine import Unsupported, images
from rehearsal.engine.cloudformation import assembly
from rehearsal.engine.cloudformation.bootstrap import bootstrap
from rehearsal.engine.delivery import builds, cdk, docker, sleep
from rehearsal.engine.delivery.build_run import Machine
from rehearsal.engine.delivery.buildspecs import parse
from tests.engine.delivery_world import Delivery, build, world, zipped
from tests.engine.runtime_world import World
from tests.engine.test_assembly import stack, write

IMAGE_FILES = {"Dockerfile": "FROM scratch\nCOPY a.txt /a.txt\n", "a.txt": "a"}


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[Delivery]:
    with world(tmp_path / "account") as made:
        account = made.account
        bootstrap(account)
        tools = {"docker": docker.tool(account), "cdk": cdk.tool(account), "sleep": sleep.tool(account)}
        builds.use_machine(account, Machine(tools=tools))
        account.client("ecr").create_repository(
            repositoryName="models", imageScanningConfiguration={"scanOnPush": True}
        )
        yield made


def uri(delivery: Delivery) -> str:
    return f"{delivery.account.id}.dkr.ecr.{delivery.account.region}.amazonaws.com/models"


def docker_commands(delivery: Delivery) -> list[str]:
    image = f"{uri(delivery)}:v1"
    return [
        "echo secret | docker login --username AWS --password-stdin https://registry",
        f"docker buildx build --provenance=false --file=Dockerfile --tag={image} .",
        f"docker push {image}",
    ]


def run(delivery: Delivery, files: dict[str, str], *commands: str) -> dict[str, Any]:
    delivery.project("tools", *commands)
    delivery.pipeline({"name": "Run", "actions": [build("tools")]})
    delivery.start(files)
    return delivery.built("tools")[-1]


def test_docker_builds_from_the_dockerfile_and_pushes_by_digest(delivery: Delivery) -> None:
    built = run(delivery, IMAGE_FILES, *docker_commands(delivery))
    assert built["status"] == "SUCCEEDED", built["output"]
    image = images.resolve(delivery.account, f"{uri(delivery)}:v1")
    assert (image.directory / "a.txt").read_text() == "a"
    ecr = delivery.account.client("ecr")
    pushed = ecr.batch_get_image(repositoryName="models", imageIds=[{"imageTag": "v1"}])["images"][0]
    assert pushed["imageId"]["imageDigest"] in built["output"]
    scan = ecr.describe_image_scan_findings(repositoryName="models", imageId={"imageTag": "v1"})
    assert scan["imageScanStatus"]["status"] == "COMPLETE"


def test_a_role_that_may_not_push_is_denied(delivery: Delivery) -> None:
    read = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
    delivery.roles["build"] = World(delivery.account).role(
        "reader", trusts="codebuild.amazonaws.com", statements=read
    )
    built = run(delivery, IMAGE_FILES, *docker_commands(delivery))
    assert built["status"] == "FAILED"
    assert "denied: " in built["output"]


ENGINE_SAYS = f"sha256:{7:064d}"
FAKE_ENGINE = """#!/bin/sh
echo "$@" >> {calls}
[ "$1" = info ] && exit {info}
grep -q broken Dockerfile && {{ echo "the Dockerfile is broken" >&2; exit 1; }}
for word; do case "$word" in --iidfile=*) printf %s {digest} > "${{word#--iidfile=}}";; esac; done
"""


def fake_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "docker", *, info: int = 0
) -> Path:
    """A container engine that writes down how it is called; returns where."""
    calls, program = tmp_path / "calls", tmp_path / "engine" / name
    program.parent.mkdir()
    program.write_text(FAKE_ENGINE.format(calls=calls, info=info, digest=ENGINE_SAYS))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return calls


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("docker", "buildx build --provenance=false --file=Dockerfile --tag={image} --iidfile="),
        ("podman", "build --file=Dockerfile --tag={image} --iidfile="),
    ],
)
def test_where_an_engine_answers_it_builds_the_image_and_its_digest_counts(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wanted: str
) -> None:
    calls = fake_engine(tmp_path, monkeypatch, name)
    engine = docker.engine_of_this_machine()
    assert Path(engine).name == name
    builds.use_machine(delivery.account, Machine(tools={"docker": docker.tool(delivery.account, engine)}))
    built = run(delivery, IMAGE_FILES, *docker_commands(delivery))
    assert built["status"] == "SUCCEEDED", built["output"]
    image = f"{uri(delivery)}:v1"
    assert calls.read_text().splitlines()[-1].startswith(wanted.format(image=image))
    found = delivery.account.client("ecr").describe_images(repositoryName="models")["imageDetails"][0]
    assert found["imageDigest"] == ENGINE_SAYS
    assert (images.resolve(delivery.account, image).directory / "a.txt").read_text() == "a"


def test_an_image_that_the_engine_cannot_build_fails_the_build_in_its_words(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine(tmp_path, monkeypatch)
    tool = docker.tool(delivery.account, docker.engine_of_this_machine())
    builds.use_machine(delivery.account, Machine(tools={"docker": tool}))
    files = {**IMAGE_FILES, "Dockerfile": "FROM scratch\n# broken\n"}
    built = run(delivery, files, *docker_commands(delivery))
    assert built["status"] == "FAILED"
    assert "the Dockerfile is broken" in built["output"]
    assert "--no-engine" in built["output"]


def test_an_engine_that_does_not_answer_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_engine(tmp_path, monkeypatch, info=1)
    assert docker.engine_of_this_machine() == ""
    assert calls.read_text() == "info\n"


def app(tmp_path: Path, display: str = "Queue") -> dict[str, str]:
    """A checkout whose app copies an assembly that is there already."""
    resources = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": display}}}
    sections = {"Parameters": {"Release": {"Type": "String", "Default": "none"}}}
    templates = {"one": {**resources, "Sections": sections}}
    directory = write(tmp_path / display, {"one": stack("one")}, templates)
    return {"cdk.json": json.dumps({"app": f'cp -r {directory} "$CDK_OUTDIR"', "context": {}})}


def release(delivery: Delivery) -> str:
    found = delivery.account.client("cloudformation").describe_stacks(StackName="one")["Stacks"][0]
    return next(p["ParameterValue"] for p in found["Parameters"] if p["ParameterKey"] == "Release")


def test_cdk_deploy_synthesises_in_the_checkout_and_keeps_what_a_parameter_has(
    delivery: Delivery, tmp_path: Path
) -> None:
    built = run(delivery, app(tmp_path), "cdk deploy '*' --require-approval never --parameters one:Release=7")
    assert built["status"] == "SUCCEEDED", built["output"]
    assert release(delivery) == "7"
    delivery.project("again", "cdk deploy '*' --require-approval never --parameters other:Release=8")
    delivery.pipeline({"name": "Run", "actions": [build("again")]}, name="second")
    delivery.account.client("s3").put_object(
        Bucket="source-bucket", Key="source.zip", Body=zipped(app(tmp_path, "Other"))
    )
    delivery.account.client("codepipeline").start_pipeline_execution(name="second")
    delivery.account.pump()
    assert delivery.built("again")[-1]["status"] == "SUCCEEDED"
    assert release(delivery) == "7"
    assert "Other" in delivery.account.client("sqs").list_queues()["QueueUrls"][0]


def test_what_an_app_reads_is_synthesised_once_and_it_can_read_nothing_else(
    delivery: Delivery, tmp_path: Path
) -> None:
    tools = {"cdk": cdk.tool(delivery.account, cdk.App(files=("cdk.json", "config"), variables=("SEEN",)))}
    builds.use_machine(delivery.account, Machine(tools=tools, environment={"SEEN": "1", "UNSEEN": "2"}))
    assembly = json.loads(app(tmp_path)["cdk.json"])["app"]
    told = tmp_path / "told"
    settings = {"app": f'echo "$SEEN$UNSEEN" $(ls) $(cat config/a) >> {told} && {assembly}'}

    def push(**files: str) -> None:
        changed = {"cdk.json": json.dumps(settings), **files}
        delivery.account.client("s3").put_object(
            Bucket="source-bucket", Key="source.zip", Body=zipped(changed)
        )
        delivery.account.client("codepipeline").start_pipeline_execution(name="push")
        delivery.account.pump()
        assert delivery.built("tools")[-1]["status"] == "SUCCEEDED", delivery.built("tools")[-1]["output"]

    run(delivery, {"cdk.json": json.dumps(settings), "config/a": "one"}, "cdk deploy '*'")
    push(**{"config/a": "one", "README.md": "new"})
    push(**{"config/a": "two"})
    assert told.read_text().splitlines() == ["1 cdk.json config one", "1 cdk.json config two"]


def test_what_was_synthesised_from_the_same_files_is_not_synthesised_again(
    delivery: Delivery, tmp_path: Path
) -> None:
    files, app_reads = {"cdk.json": json.dumps({"app": "false"})}, cdk.App(files=("cdk.json",))
    builds.use_machine(delivery.account, Machine(tools={"cdk": cdk.tool(delivery.account, app_reads)}))
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "cdk.json").write_text(files["cdk.json"])
    queue = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "kept"}}}
    made = write(tmp_path / "out", {"one": stack("one")}, {"one": queue})
    cdk.keep(delivery.account, tmp_path / "clone", made, app_reads, {})
    assert run(delivery, files, "cdk deploy '*'")["status"] == "SUCCEEDED"
    assert "kept" in delivery.account.client("sqs").list_queues()["QueueUrls"][0]


def test_a_stack_that_does_not_come_up_fails_the_command_with_its_reason(
    delivery: Delivery, tmp_path: Path
) -> None:
    policy = {"PolicyName": "p", "PolicyDocument": {"Statement": []}, "Roles": ["nobody"]}
    broken = {"Bad": {"Type": "AWS::IAM::Policy", "Properties": policy}}
    directory = write(tmp_path / "broken", {"one": stack("one")}, {"one": broken})
    files = {"cdk.json": json.dumps({"app": f'cp -r {directory} "$CDK_OUTDIR"'})}
    built = run(delivery, files, "cdk deploy '*'")
    assert built["status"] == "FAILED"
    assert "stack one is ROLLBACK_COMPLETE" in built["output"]


def test_a_deploy_that_cloudformation_refuses_fails_in_its_words_and_a_build_can_wait(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As beside a release: while the build sleeps the account lives on, and the release comes to its end."""
    account = delivery.account
    assert run(delivery, app(tmp_path), "cdk deploy '*'")["status"] == "SUCCEEDED"
    began = account.clock.now()
    monkeypatch.setattr("rehearsal.engine.cloudformation.stacks.UPDATABLE", ())
    account.wake_at(began + timedelta(minutes=2), "the release ends", monkeypatch.undo)
    delivery.project("waiting", "cdk deploy '*' || sleep 180", "cdk deploy '*'")
    delivery.pipeline({"name": "Run", "actions": [build("waiting")]}, name="second")
    changed = zipped(app(tmp_path, "Other"))
    account.client("s3").put_object(Bucket="source-bucket", Key="source.zip", Body=changed)
    account.client("codepipeline").start_pipeline_execution(name="second")
    account.pump()
    [waited] = delivery.built("waiting")
    assert waited["status"] == "SUCCEEDED", waited["output"]
    assert "state and can not be updated" in waited["output"]
    assert account.clock.now() == began + timedelta(minutes=3)
    assert "Other" in account.client("sqs").list_queues()["QueueUrls"][0]


def test_a_role_that_may_not_assume_the_bootstrap_s_roles_deploys_nothing(
    delivery: Delivery, tmp_path: Path
) -> None:
    read = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]
    delivery.roles["build"] = World(delivery.account).role(
        "reader", trusts="codebuild.amazonaws.com", statements=read
    )
    built = run(delivery, app(tmp_path), "cdk deploy '*'")
    assert "is not authorized to perform: sts:AssumeRole" in built["output"]


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ([], ["delivery"]),
        (["dev/*"], ["dev-storage", "dev-training"]),
        (["dev/Training"], ["dev-storage", "dev-training"]),
        (["dev/Storage"], ["dev-storage"]),
        (["prod/*"], []),
    ],
)
def test_a_pattern_selects_as_the_cli_does_with_all_that_a_stack_needs(
    tmp_path: Path, patterns: list[str], wanted: list[str]
) -> None:
    nested = {
        "a": {**stack("dev-storage"), "displayName": "dev/Storage"},
        "b": {**stack("dev-training", needs=("a",)), "displayName": "dev/Training"},
    }
    write(tmp_path / "assembly-dev", nested, {})
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-dev"}}
    write(tmp_path, {"d": {**stack("delivery"), "displayName": "Delivery"}, "s": stage}, {})
    assert [one.name for one in cdk.select(assembly.stacks(tmp_path), patterns)] == wanted


@pytest.mark.parametrize(
    "text",
    [
        "version: 0.1",
        "{version: 0.2, phases: {build: {commands: [a], finally: [b]}}}",
        "{version: 0.2, artifacts: {files: [a]}}",
        "{version: 0.2, env: {secrets-manager: {a: b}}}",
    ],
)
def test_a_buildspec_that_says_more_than_is_built_stops_by_name(text: str) -> None:
    with pytest.raises(Unsupported, match="buildspec"):
        parse(text)
