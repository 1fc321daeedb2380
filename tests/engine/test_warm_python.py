"""A command that the warm interpreter runs cannot tell it from a fresh one, except that it starts at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearsal.engine import Account, warm_python
from tests.engine.runtime_world import START

LOADED = "xml.etree.ElementTree"  # what no Python has from its start
LOOK = f"""
import json, os, sys
print(json.dumps({{"warm": {LOADED!r} in sys.modules, "argv": sys.argv[1:], "name": __name__, "path": sys.path[:2],
    "environment": dict(os.environ), "here": os.getcwd(), "groups": [os.getpgid(0), os.getpid()]}}))
sys.exit(3)
"""
WAIT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(os.write(1, b"tidied up") - 9))
os.write(1, b"%d\\n" % os.getpid())
time.sleep(60)
"""
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Warm:
    """The words for Python, and a folder whose modules it runs."""

    python: list[str]
    folder: Path

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.python, *command],
            cwd=self.folder,
            env={**ENVIRONMENT, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self) -> tuple[subprocess.Popen[str], int]:
        """A command that waits, and the process that carries it out."""
        process = subprocess.Popen(
            [*self.python, "-m", "wait"], cwd=self.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        return process, int(process.stdout.readline())


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    folder = tmp_path_factory.mktemp("code")
    (folder / "look.py").write_text(LOOK)
    (folder / "wait.py").write_text(WAIT)
    with Account(start=START, directory=tmp_path_factory.mktemp("account")) as account:
        warm_python.start(account, (LOADED,))
        yield Warm(warm_python.python(account), folder)


def ends(pid: int) -> bool:
    """Whether the process is gone, at once or very soon."""
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        os.sched_yield()
    return not Path(f"/proc/{pid}").exists()


def test_a_command_has_what_is_loaded_and_its_own_environment_folder_and_session(warm: Warm) -> None:
    done = warm.run("-s", "-m", "look", "a", "b", GREETING="hello")
    seen = json.loads(done.stdout)
    assert (done.returncode, seen["warm"], seen["name"], seen["argv"]) == (3, True, "__main__", ["a", "b"])
    assert seen["environment"] == {**ENVIRONMENT, "GREETING": "hello"}
    assert seen["here"] == seen["path"][0] == str(warm.folder)
    assert seen["groups"][0] == seen["groups"][1]


def test_the_path_of_its_modules_comes_before_the_packages(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("import sys; print(sys.path[1])")
    assert warm.run("-m", "elsewhere", PYTHONPATH=str(tmp_path)).stdout.strip() == str(tmp_path)


@pytest.mark.parametrize("command", [("-m", "look"), ("-c", LOOK), ("look.py",)])
def test_only_a_module_is_run_in_a_fork(warm: Warm, command: tuple[str, ...]) -> None:
    done = warm.run(*command)
    assert (done.returncode, json.loads(done.stdout)["warm"]) == (3, command[0] == "-m")


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "PYTHONHASHSEED"])
def test_a_variable_that_is_read_at_the_start_needs_a_fresh_process(warm: Warm, name: str) -> None:
    assert not json.loads(warm.run("-m", "look", **{name: "1"}).stdout)["warm"]


def test_a_module_named_like_a_loaded_one_needs_a_fresh_process(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "xml.py").write_text("")
    assert not json.loads(warm.run("-m", "look", PYTHONPATH=str(tmp_path)).stdout)["warm"]


def test_an_error_is_told_as_python_does(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("raise ValueError('too late')")
    done = warm.run("-m", "wrong", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: too late"


def test_it_hears_the_signal_to_stop(warm: Warm) -> None:
    process, pid = warm.start()
    process.terminate()
    assert process.communicate(timeout=60)[0] == "tidied up"
    assert process.returncode == 0
    assert ends(pid)


def test_its_death_is_that_of_the_command(warm: Warm) -> None:
    process, pid = warm.start()
    os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def test_it_ends_with_the_command(warm: Warm) -> None:
    process, pid = warm.start()
    process.kill()
    process.communicate(timeout=60)
    assert ends(pid)


def test_a_closed_account_leaves_no_process_and_commands_go_on_without(warm: Warm, tmp_path: Path) -> None:
    closers: list[Callable[[], None]] = []

    class Another:
        directory, on_close = tmp_path, closers.append

    another: Account = Another()  # type: ignore[assignment]
    warm_python.start(another, (LOADED,))
    gone = Warm(warm_python.python(another), warm.folder)
    process, pid = gone.start()
    for close in closers:
        close()
    process.communicate(timeout=60)
    assert ends(pid)
    assert not json.loads(gone.run("-m", "look").stdout)["warm"]
