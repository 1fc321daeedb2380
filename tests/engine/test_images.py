"""Images are built from a Dockerfile's own steps and found in ECR by digest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rehearsal.engine import Unsupported, images
from tests.engine.sagemaker_world import IMAGE, World, world

__all__ = ["world"]


def build(world: World, context: Path, tag: str = "v2") -> str:
    return images.build(
        world.account, context=context, dockerfile=context / "Dockerfile", repository="models", tag=tag
    )


def written(folder: Path, dockerfile: str, **files: str) -> Path:
    """A build context with these files."""
    folder = folder / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_an_image_holds_what_the_dockerfile_copied_and_says(world: World) -> None:
    image = images.resolve(world.account, world.image)

    assert (image.directory / "opt/app/model/__main__.py").read_text().startswith('"""A model so small')
    assert not (image.directory / "src").exists()  # only the last stage counts
    assert image.config.environment == {"PYTHONPATH": "/opt/app", "GREETING": "hello there"}
    assert (image.config.entrypoint, image.config.workdir) == (["python", "-m", "model"], "/opt/app")
    assert (image.config.ports, image.config.labels) == (["8080"], {"maintainer": "a test"})


def test_a_run_is_not_executed_and_the_journal_says_so(world: World) -> None:
    notes = [facts["what"] for facts in world.journal("note")]

    assert any("line 6: RUN python -m venv /opt/venv" in note and "not executed" in note for note in notes)
    assert any("/opt/venv is made by RUN in stage 'build'" in note for note in notes)


def test_the_digest_of_the_uri_is_the_one_in_ecr(world: World) -> None:
    found = world.account.client("ecr").describe_images(
        repositoryName="models", imageIds=[{"imageTag": "v1"}]
    )
    digest = found["imageDetails"][0]["imageDigest"]

    assert world.image == f"123456789012.dkr.ecr.us-east-1.amazonaws.com/models@{digest}"


def test_the_same_context_gives_the_same_digest_and_another_byte_another(
    world: World, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(IMAGE, copy)
    assert build(world, copy, tag="v1") == world.image

    (copy / "model/extra.py").write_text("")
    assert build(world, copy) != world.image


def test_what_dockerignore_names_stays_out(world: World, tmp_path: Path) -> None:
    files = {"a.txt": "a", "b.md": "b", "keep.md": "k"}
    context = written(tmp_path, "FROM scratch\nCOPY . /app/", **files)
    (context / "deep").mkdir()
    (context / "deep/c.txt").write_text("c")
    (context / ".dockerignore").write_text("*.md\n!keep.md\ndeep\n")

    root = images.resolve(world.account, build(world, context)).directory

    assert sorted(path.name for path in (root / "app").iterdir()) == [
        ".dockerignore",
        "Dockerfile",
        "a.txt",
        "keep.md",
    ]


def test_an_unknown_instruction_stops_the_build_by_line(world: World, tmp_path: Path) -> None:
    context = written(tmp_path, "FROM scratch\n\nHEALTHCHECK NONE\n")

    with pytest.raises(Unsupported, match="line 3: the instruction HEALTHCHECK"):
        build(world, context)


def test_an_entrypoint_in_shell_form_is_refused(world: World, tmp_path: Path) -> None:
    context = written(tmp_path, "FROM scratch\nENTRYPOINT python -m model\n")

    with pytest.raises(Unsupported, match=r"line 2: ENTRYPOINT in shell form"):
        build(world, context)


def test_a_copy_from_an_image_elsewhere_is_refused(world: World, tmp_path: Path) -> None:
    context = written(tmp_path, "FROM scratch\nCOPY --from=ghcr.io/tool /tool /bin/\n")

    with pytest.raises(Unsupported, match=r"line 2: COPY --from=ghcr.io/tool"):
        build(world, context)


def test_a_copy_of_a_missing_file_names_it(world: World, tmp_path: Path) -> None:
    context = written(tmp_path, "FROM scratch\nCOPY absent.txt /\n")

    with pytest.raises(FileNotFoundError, match=r"line 2: COPY absent.txt"):
        build(world, context)


def test_variables_and_defaults_are_put_in(world: World, tmp_path: Path) -> None:
    lines = ["ARG BASE=scratch", "FROM $BASE", "ARG NAME", "ENV A=${NAME:-x} B=$BASE", 'ENV C="$A y"']
    config = images.resolve(world.account, build(world, written(tmp_path, "\n".join(lines)))).config

    assert config.environment == {"A": "x", "B": "", "C": "x y"}


def test_a_tag_that_is_taken_by_another_digest_is_an_error_and_by_the_same_one_none(
    world: World, tmp_path: Path
) -> None:
    ecr = world.account.client("ecr")
    ecr.create_repository(repositoryName="immutable", imageTagMutability="IMMUTABLE")
    context = written(tmp_path, 'FROM python:3.13\nCOPY a /a\nENTRYPOINT ["python"]\n', a="1")

    def push() -> str:
        return images.build(
            world.account,
            context=context,
            dockerfile=context / "Dockerfile",
            repository="immutable",
            tag="v1",
        )

    first = push()
    assert push() == first
    (context / "a").write_text("2")
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException, match="v1"):
        push()
    [kept] = ecr.describe_images(repositoryName="immutable")["imageDetails"]
    assert first.endswith(kept["imageDigest"])


def test_an_image_that_ecr_does_not_have_is_not_found(world: World) -> None:
    absent = world.image[:-4] + "0000"

    with pytest.raises(images.ImageNotFound, match=f"Requested image {absent} not found"):
        images.resolve(world.account, absent)


def test_an_image_deleted_from_ecr_is_not_found(world: World, tmp_path: Path) -> None:
    uri = build(world, written(tmp_path, "FROM scratch\nENV GONE=soon\n"), tag="gone")
    ecr = world.account.client("ecr")
    ecr.batch_delete_image(repositoryName="models", imageIds=[{"imageDigest": uri.partition("@")[2]}])

    with pytest.raises(images.ImageNotFound):
        images.resolve(world.account, uri)
