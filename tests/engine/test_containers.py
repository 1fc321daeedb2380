"""A container is a process with its own /opt/ml and nothing of the caller's environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rehearsal.engine import containers, images, warm_python
from tests.engine.sagemaker_world import World, world

__all__ = ["world"]

LOOK = """
import importlib.util, json, os, pathlib, time
base = pathlib.Path(os.environ.get("SM_BASE_DIR", "/opt/ml"))
print(json.dumps({
    "ml": sorted(path.name for path in base.iterdir()),
    "environment": dict(os.environ),
    "here": os.getcwd(),
    "found": [bool(importlib.util.find_spec(name)) for name in ("model", "rehearsal", "boto3")],
    "time": time.time(),
}))
"""


def run(world: World, folder: Path, code: str, **more: float) -> containers.Exit:
    container = containers.Run(
        image=images.resolve(world.account, world.image),
        entrypoint=["python", "-c"],
        arguments=[code],
        directory=folder,
        environment={"FROM_THE_JOB": "yes"},
    )
    return containers.run_to_end(world.account, container, **{"max_runtime_seconds": 30, **more})


def test_a_container_sees_its_own_opt_ml_and_only_what_it_was_given(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_CALLER", "s3cret")
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml/mine").write_text("")

    seen = json.loads(run(world, tmp_path, LOOK).output)

    assert seen["ml"] == ["mine"]
    assert seen["environment"]["FROM_THE_JOB"] == "yes"
    assert seen["environment"]["GREETING"] == "hello there"
    assert "A_SECRET_OF_THE_CALLER" not in seen["environment"]
    assert seen["environment"]["HOME"] == str(tmp_path / "home")
    assert seen["here"].endswith("/opt/app")


def test_a_container_imports_the_image_and_the_packages_but_not_the_repository(
    world: World, tmp_path: Path
) -> None:
    assert json.loads(run(world, tmp_path, LOOK).output)["found"] == [True, False, True]


def test_the_clock_in_a_container_stands_at_the_virtual_time(world: World, tmp_path: Path) -> None:
    assert json.loads(run(world, tmp_path, LOOK).output)["time"] == world.account.clock.now().timestamp()


def test_without_a_namespace_the_environment_says_where_opt_ml_is(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "private_opt_ml_allowed", lambda: False)
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml/mine").write_text("")

    seen = json.loads(run(world, tmp_path, LOOK).output)

    assert seen["environment"]["SM_BASE_DIR"] == str(tmp_path / "ml")
    assert seen["ml"] == ["mine"]


def test_how_opt_ml_is_seen_is_told_once(world: World, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(world, tmp_path / name, "pass")

    assert sum("containers see /opt/ml" in facts["what"] for facts in world.journal("note")) == 1


def test_past_its_limit_a_container_is_told_to_stop(world: World, tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('tidied up', flush=True)))\n"
        "time.sleep(60)"
    )
    ended = run(world, tmp_path, code, max_runtime_seconds=1)

    assert ended.timed_out
    assert "tidied up" in ended.output
    assert ended.seconds < 30


def test_a_container_deaf_to_sigterm_is_killed_after_the_grace(world: World, tmp_path: Path) -> None:
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    ended = run(world, tmp_path, code, max_runtime_seconds=1, grace_seconds=0.2)

    assert (ended.timed_out, ended.code) == (True, -9)


def test_python_is_this_python(world: World, tmp_path: Path) -> None:
    assert run(world, tmp_path, "import sys; print(sys.prefix)").output.strip() == sys.prefix


def test_a_container_of_a_warm_account_sees_the_same(world: World, tmp_path: Path) -> None:
    warm_python.start(world.account, ("xml.etree.ElementTree",))
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml/look.py").write_text("import sys\nprint('xml.etree' in sys.modules)\n" + LOOK)
    container = containers.Run(
        image=images.resolve(world.account, world.image),
        entrypoint=["python", "-m", "look"],
        arguments=[],
        directory=tmp_path,
        environment={"PYTHONPATH": "/opt/ml", "PYTHONDONTWRITEBYTECODE": "1"},
    )

    output = containers.run_to_end(world.account, container, max_runtime_seconds=30).output
    is_warm, seen = output.splitlines()

    assert is_warm == "True"
    assert json.loads(seen)["ml"] == ["look.py"]
    assert json.loads(seen)["found"] == [True, False, True]
    assert json.loads(seen)["time"] == world.account.clock.now().timestamp()
