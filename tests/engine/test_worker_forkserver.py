"""A worker that was forked cannot tell itself from a fresh one, except that it starts at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.engine import functions
from tests.engine.runtime_world import World, world, zipped

LOOK = """
import os, sys
loaded = "boto3" in sys.modules
def handler(event, context):
    return {"loaded": loaded, "environment": dict(os.environ), "path": sys.path, "here": os.getcwd(),
        "group": os.getpgid(0) == os.getpid(), "pid": os.getpid(), "open": len(os.listdir("/proc/self/fd"))}
"""


def test_no_fork_outlives_the_account(tmp_path: Path) -> None:
    with world(tmp_path) as aws:
        functions.fork_workers(aws.account)
        aws.function(LOOK, name="look")
        found, _ = aws.call("look")
        assert found["loaded"]
        assert Path(f"/proc/{found['pid']}").exists()
    assert not Path(f"/proc/{found['pid']}").exists()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("forked")) as it:
        yield it


@pytest.fixture(scope="module")
def seen(aws: World) -> tuple[dict, dict]:
    """What the same function sees in a fresh process and in a fork."""
    aws.function(LOOK, name="look")
    fresh, _ = aws.call("look")
    functions.fork_workers(aws.account)
    aws.account.client("lambda").update_function_configuration(FunctionName="look", Timeout=9)
    forked, _ = aws.call("look")
    return fresh, forked


def test_a_fork_has_the_runtime_loaded_and_all_else_as_a_fresh_process_has(seen: tuple[dict, dict]) -> None:
    fresh, forked = seen
    assert (fresh["loaded"], forked["loaded"]) == (False, True)
    own = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}  # of each start
    for one in (fresh, forked):
        assert own <= set(one["environment"])
        one["environment"] = {name: one["environment"][name] for name in set(one["environment"]) - own}
    different = {name for name in fresh if fresh[name] != forked[name]}
    assert different == {"loaded", "pid"}


def test_code_that_brings_a_module_of_the_runtime_gets_its_own(aws: World, seen: tuple[dict, dict]) -> None:
    code = "import six\ndef handler(event, context): return six.__file__"
    aws.function(code, name="brings")
    assert "runtime" in aws.call("brings")[0]
    body = zipped(code, six="ours = True")
    aws.account.client("lambda").update_function_code(FunctionName="brings", ZipFile=body)
    assert "runtime" not in aws.call("brings")[0]


def test_how_a_fork_ended_is_told(aws: World, seen: tuple[dict, dict]) -> None:
    aws.function("import os\ndef handler(event, context): os._exit(event)", name="leaves")
    assert aws.call("leaves", 3)[0]["errorMessage"].endswith("Runtime exited with error: exit status 3")
    aws.function("import os\ndef handler(event, context): os.kill(os.getpid(), 9)", name="is-killed")
    assert aws.call("is-killed")[0]["errorMessage"].endswith("signal: SIGKILL")
