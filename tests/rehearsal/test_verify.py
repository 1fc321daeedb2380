"""A broken model.py in a push: it ends in Verify, before anything is built, and the function is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.schema import ROOT
from rehearsal.__main__ import SLOW_TO_IMPORT
from rehearsal.engine import warm_python
from rehearsal.scenarios.workplace import NOT_RUN, Workplace, copy_project, use_this_machine
from tests.engine.delivery_world import KEY, SOURCE, Delivery, approval, build, committed, world

MODEL = (ROOT / "training" / "model.py").read_text()
TRAINED = "    return make_pipeline("
BROKEN = {
    "it raises": (
        MODEL.replace(TRAINED, '    raise RuntimeError("no such column")\n' + TRAINED),
        "estimator() raised RuntimeError: no such column",
    ),
    "the function is missing": (
        MODEL.replace("def estimator", "def estimate"),
        "model.py lacks the function estimator()",
    ),
    "the shape is wrong": (
        MODEL + "\n\nclass Flat(HistGradientBoostingClassifier):\n    def predict_proba(self, X):\n"
        "        return super().predict_proba(X)[:, 1]\n"
        "\n\nHistGradientBoostingClassifier = Flat\n",
        "predict_proba of estimator() answered (1000,), expected two columns",
    ),
    "the answer is not a number": (
        MODEL + "\n\nclass Nan(HistGradientBoostingClassifier):\n    def predict_proba(self, X):\n"
        "        return super().predict_proba(X) * float('nan')\n"
        "\n\nHistGradientBoostingClassifier = Nan\n",
        "1000 values that are not finite",
    ),
}


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    """The real commands of Verify, and an approval in the place of all that follows."""
    from stacks.delivery_projects import VERIFY

    with world(tmp_path_factory.mktemp("verify") / "account") as made:
        warm_python.start(made.account, SLOW_TO_IMPORT)
        use_this_machine(made.account)
        made.project("verify", *VERIFY.commands)
        made.pipeline(
            {"name": "Verify", "actions": [build("verify")]}, {"name": "Later", "actions": [approval()]}
        )
        yield made


@pytest.fixture(scope="module")
def workplace(delivery: Delivery, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace.clone(delivery.account, tmp_path_factory.mktemp("clone"))


def push(delivery: Delivery, workplace: Workplace, model: str) -> str:
    workplace.change({"training/model.py": model})
    workplace.commit("another model")
    delivery.account.client("s3").put_object(Bucket=SOURCE, Key=KEY, Body=workplace.archive())
    started = delivery.account.client("codepipeline").start_pipeline_execution(name="push")
    delivery.account.pump()
    return str(started["pipelineExecutionId"])


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_model_fails_verify_and_the_function_is_named(
    delivery: Delivery, workplace: Workplace, kind: str
) -> None:
    model, told = BROKEN[kind]
    assert model != MODEL
    execution = push(delivery, workplace, model)
    assert delivery.stages(execution)["Verify"] == "Failed"
    built = delivery.built("verify")[-1]
    assert built["failed"] == "make check-model"
    assert told in built["output"]
    assert "estimator()" in built["output"]


def test_a_sound_model_passes_and_what_was_not_run_is_said(delivery: Delivery, workplace: Workplace) -> None:
    execution = push(delivery, workplace, MODEL)
    assert delivery.stages(execution) == {"Source": "Succeeded", "Verify": "Succeeded"}
    assert [e.facts["command"] for e in delivery.account.journal.of("not-run")][-1:] == list(NOT_RUN)


def test_a_clone_holds_the_project_as_it_lies_there(workplace: Workplace, tmp_path: Path) -> None:
    assert (workplace.directory / "app.py").read_text() == (ROOT / "app.py").read_text()
    assert not (workplace.directory / ".venv").exists()


def test_a_project_in_a_folder_that_the_repository_around_it_ignores_is_copied_whole(tmp_path: Path) -> None:
    committed(tmp_path, {".gitignore": "build/\n", "build/project/a.txt": "a"})
    copy_project(tmp_path / "copy", tmp_path / "build" / "project")
    assert (tmp_path / "copy" / "a.txt").read_text() == "a"
