"""These tests speak to the real server, in a process of its own."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from tests.training.job import Job
from tests.training.test_proof import environment
from training.artefact import Model

ROOT = Path(__file__).parents[2]
CSV, JSON = "text/csv", "application/json"
ROWS = "north,1.0,2.5\nsouth,39.0,\n"
TWO_WORKERS = (
    sys.executable,
    "-c",
    "from training import serve, workers; workers.count = lambda: 2; serve.main()",
)
Reply = tuple[int, str, str]


@contextmanager
def server(
    base: Path,
    stdout: IO[bytes] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "training", "serve"),
    **extra: str,
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        "PATH": os.environ["PATH"],
        "SM_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1",
        "TIDELINE_MODEL": "release-7",
        "TIDELINE_RELEASE": "000042",
        **extra,
    }
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=stdout)
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def wait_until_up(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if ask(port, "GET", "/ping")[0] == 200:
                return
        except ConnectionRefusedError:
            continue
    raise AssertionError(f"the server is not up, its exit code is {process.returncode}")


def ask(port: int, method: str, path: str, body: bytes | str = b"", **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    reply = connection.getresponse()
    answer = (reply.status, reply.headers["Content-Type"], reply.read().decode())
    connection.close()
    return answer


@pytest.fixture(scope="module")
def port(trained_directory: Path) -> Iterator[int]:
    with server(trained_directory) as (process, port):
        wait_until_up(process, port)
        yield port


@pytest.fixture(scope="module")
def expected(trained_directory: Path) -> list[float]:
    model = Model.from_directory(trained_directory / "model")
    answers = model.predict({"place": ["north", "south"], "heat": [1.0, 39.0], "wind": [2.5, np.nan]})
    return [round(answer, 6) for answer in answers.tolist()]


def invoke(port: int, body: bytes | str, content_type: str = CSV, accept: str = JSON) -> Reply:
    return ask(port, "POST", "/invocations", body, Content_Type=content_type, Accept=accept)


def predictions(reply: Reply) -> list[float]:
    assert reply[0] == 200, reply
    answers: list[float] = json.loads(reply[2])["predictions"]
    return answers


def test_rows_without_a_header_are_in_the_models_order(port: int, expected: list[float]) -> None:
    assert predictions(invoke(port, ROWS)) == expected


def test_a_header_may_name_the_columns_in_any_order(port: int, expected: list[float]) -> None:
    assert predictions(invoke(port, "wind,place,heat\r\n2.5,north,1.0\r\n,south,39.0\r\n")) == expected


@pytest.mark.parametrize(
    "instances",
    [
        [{"heat": 1, "place": "north", "wind": 2.5}, {"wind": None, "heat": 39.0, "place": "south"}],
        [["north", 1.0, 2.5], ["south", 39, None]],
    ],
)
def test_json_rows_are_objects_or_lists(port: int, expected: list[float], instances: object) -> None:
    assert predictions(invoke(port, json.dumps({"instances": instances}), JSON)) == expected


def test_json_answers_say_which_model_gave_them(port: int) -> None:
    status, content_type, body = invoke(port, ROWS)
    assert (status, content_type) == (200, JSON)
    assert json.loads(body)["model"] == "release-7"


@pytest.mark.parametrize("accept", [CSV, JSON])
def test_every_answer_is_stamped_with_release_model_and_its_digest(
    port: int, trained_directory: Path, accept: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/invocations", ROWS, {"Content-Type": CSV, "Accept": accept})
    stamped = connection.getresponse().headers["X-Amzn-SageMaker-Custom-Attributes"]
    connection.close()
    digest = hashlib.sha256((trained_directory / "model/model.onnx").read_bytes()).hexdigest()[:16]
    assert stamped == f"tideline-release=000042;tideline-digest={digest};tideline-model=release-7"


def test_where_versions_are_compared_each_answer_is_a_line_of_sums_and_no_row(
    trained_directory: Path, tmp_path: Path, expected: list[float]
) -> None:
    output = tmp_path / "stdout"
    with (
        output.open("wb") as stdout,
        server(trained_directory, stdout, TIDELINE_ENDPOINT="tideline-prod") as (process, port),
    ):
        wait_until_up(process, port)
        predictions(invoke(port, ROWS))
        predictions(invoke(port, "north,1.0,2.5"))
        assert invoke(port, "north,hot,2.5")[0] == 400
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(one["PredictionSum"], one["PredictionRows"]) for one in lines] == [
        (round(sum(expected), 6), 2),
        (expected[0], 1),
    ]
    assert {(one["Endpoint"], one["Release"]) for one in lines} == {("tideline-prod", "000042")}
    (declared,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert declared["Dimensions"] == [["Endpoint", "Release"]]
    assert "north" not in output.read_text()


def test_where_nobody_compares_the_server_prints_nothing(trained_directory: Path, tmp_path: Path) -> None:
    output = tmp_path / "stdout"
    with output.open("wb") as stdout, server(trained_directory, stdout) as (process, port):
        wait_until_up(process, port)
        predictions(invoke(port, ROWS))
    assert output.read_text() == ""


@pytest.mark.parametrize("accept", [CSV, "*/*", "image/png, text/csv;q=0.5"])
def test_csv_answers_are_one_prediction_a_line(port: int, expected: list[float], accept: str) -> None:
    assert invoke(port, ROWS, accept=accept) == (200, CSV, f"{expected[0]}\n{expected[1]}\n")


def test_who_names_no_accept_gets_csv(port: int, expected: list[float]) -> None:
    reply = ask(port, "POST", "/invocations", ROWS, Content_Type=CSV)
    assert reply == (200, CSV, f"{expected[0]}\n{expected[1]}\n")


def test_a_single_row_without_a_line_end_is_answered(port: int, expected: list[float]) -> None:
    assert predictions(invoke(port, "north,1.0,2.5")) == expected[:1]


def test_a_byte_order_mark_quotes_and_spaces_change_nothing(port: int, expected: list[float]) -> None:
    body = '\ufeff"north", 1.0 ,2.5'
    assert predictions(invoke(port, body.encode(), "Text/CSV; charset=utf-8")) == expected[:1]


def test_the_answer_to_a_row_does_not_depend_on_the_rows_beside_it(port: int, expected: list[float]) -> None:
    assert predictions(invoke(port, ROWS * 500)) == expected * 500


@pytest.mark.parametrize(
    "body, reason",
    [
        (
            "north,1,2\nsouth,hot,3\n",
            "row 2, column heat: got 'hot', expected a finite number, or nothing if",
        ),
        ("heat,wind,place\n1,inf,north\n", "row 1, column wind: got 'inf', expected a finite number"),
        ("north,1e39,2\n", "row 1, column heat: got '1e39', expected a finite number"),
        ("north,1\n", "row 1 has 2 cells, expected 3: place,heat,wind"),
        ("north,1,2\n\nnorth,1,2\n", "row 2 has 0 cells, expected 3"),
        ("heat,place\n1,north\n", "the header names heat,place, expected each once: place,heat,wind"),
        ("heat,place,wind,late\n1,north,1,1\n", "the header names heat,place,wind,late, expected each once"),
        ("place,heat,wind\n", "the body has no rows, expected at least one"),
        ("", "the body has no rows, expected at least one"),
        (b"\xff\xfe\x00", "the body is no UTF-8 CSV"),
        ('"north,1,2\n', "the body is no UTF-8 CSV"),
    ],
)
def test_a_csv_row_that_is_wrong_is_named(port: int, body: bytes | str, reason: str) -> None:
    status, _, answer = invoke(port, body)
    assert status == 400
    assert answer.startswith(reason)


@pytest.mark.parametrize(
    "instances, reason",
    [
        ([["north", "1", 2]], "row 1, column heat: got '1', expected a finite number, or null if missing"),
        ([["north", True, 2]], "row 1, column heat: got True, expected a finite number"),
        ([["north", 1e39, 2]], "row 1, column heat: got 1e+39, expected a finite number"),
        ([[7, 1, 2]], "row 1, column place: got 7, expected a string, or null if missing"),
        ([["north", 1, 2], ["north", 1]], "row 2 has 2 values, expected 3: place,heat,wind"),
        (
            [{"heat": 1, "wnd": 2}],
            "row 1 lacks place, wind and has wnd too much; send null for what is missing",
        ),
        (["north"], "row 1 has 'north', expected 3: place,heat,wind"),
        ([], "the body has no rows"),
        (None, 'expected {"instances": [...]}'),
    ],
)
def test_a_json_row_that_is_wrong_is_named(port: int, instances: object, reason: str) -> None:
    status, _, answer = invoke(port, json.dumps({"instances": instances}), JSON)
    assert status == 400
    assert answer.startswith(reason)


def test_a_body_that_is_no_json_is_refused(port: int) -> None:
    status, _, answer = invoke(port, "{", JSON)
    assert status == 400
    assert answer.startswith("the body is no JSON")


@pytest.mark.parametrize(
    "method, path, content_type, accept, status",
    [
        ("POST", "/invocations", "application/xml", CSV, 415),
        ("POST", "/invocations", "", CSV, 415),
        ("POST", "/invocations", CSV, "image/png", 406),
        ("GET", "/invocations", CSV, CSV, 405),
        ("POST", "/ping", CSV, CSV, 405),
        ("GET", "/", CSV, CSV, 404),
    ],
)
def test_what_the_server_does_not_speak_is_refused_by_its_status(
    port: int, method: str, path: str, content_type: str, accept: str, status: int
) -> None:
    assert ask(port, method, path, ROWS, Content_Type=content_type, Accept=accept)[0] == status


def test_a_body_over_the_payload_limit_is_refused_and_the_server_lives_on(port: int) -> None:
    assert invoke(port, ROWS * 80_000)[0] == 413
    assert ask(port, "GET", "/ping")[0] == 200


def test_headers_that_sagemaker_adds_are_ignored(port: int, expected: list[float]) -> None:
    headers = {"Content_Type": CSV, "X_Amzn_SageMaker_Inference_Id": "17", "X_Unknown": "1"}
    assert ask(port, "POST", "/invocations", ROWS, **headers)[2] == f"{expected[0]}\n{expected[1]}\n"


def raw(port: int, *pieces: bytes) -> bytes:
    """All that the server sends back on one connection, however it is asked."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass  # it may hang up on what it refuses; what it said before that is the answer
        return answer


def head(length: object, *more: str) -> bytes:
    lines = [
        "POST /invocations HTTP/1.1",
        "Host: a",
        f"Content-Type: {CSV}",
        f"Content-Length: {length}",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


SMUGGLED = b"POST /invocations HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\xff" * 500,
        b"\r\n" * 5000,
        b"GET /ping HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
        head("-1") + b"north,1,2",
        head("9" * 40) + b"north,1,2",
        head("9, 9") + SMUGGLED,
        head(9, "Content-Length: 3") + b"north,1,2",
        head(9, "Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED,
        head(9, "Transfer-Encoding : chunked") + b"0\r\n\r\n" + SMUGGLED,
        head(9, "X-Folded: a", " b\x00c") + b"north,1,2",
        head(9, "Upgrade: websocket", "Connection: Upgrade") + b"north,1,2",
    ],
)
def test_a_request_that_is_no_clean_one_gets_no_prediction_for_what_is_hidden_in_it(
    port: int, request_: bytes
) -> None:
    answer = raw(port, request_)
    assert answer.count(b"HTTP/1.1 200") <= 1
    assert answer.count(b"HTTP/1.1") <= 2
    assert ask(port, "GET", "/ping")[0] == 200


def test_requests_one_after_the_other_on_one_connection_are_answered_in_order(
    port: int, expected: list[float]
) -> None:
    rows = ROWS.encode().splitlines()
    first, last = head(len(rows[0])), head(len(rows[1]), "Connection: close")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(first + rows[0] + last + rows[1])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert [float(body) for body in bodies] == expected


def test_a_head_without_end_is_cut_off(port: int) -> None:
    assert b"200" not in raw(port, b"GET /ping HTTP/1.1\r\nX: ", *([b"a" * 65536] * 40))
    assert ask(port, "GET", "/ping")[0] == 200


def test_callers_who_send_a_part_and_wait_keep_nobody_waiting(port: int, expected: list[float]) -> None:
    with ExitStack() as open_:
        for _ in range(50):
            slow = open_.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            slow.sendall(head(100) + b"north,")
        assert predictions(invoke(port, ROWS)) == expected


def test_a_body_as_large_as_sagemaker_lets_through_is_answered(trained_directory: Path) -> None:
    with server(trained_directory, SAGEMAKER_MAX_PAYLOAD_IN_MB="6") as (process, port):
        wait_until_up(process, port)
        row = f"north,{'0' * 80}1.0,2.5\n"
        rows = 6_291_456 // len(row)
        status, _, body = invoke(port, row * rows, accept=CSV)
        assert (status, body.count("\n")) == (200, rows)
        assert sum(map(resident_mib, tree(process.pid))) < 600


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def test_a_term_signal_lets_what_was_begun_end(trained_directory: Path, expected: list[float]) -> None:
    with server(trained_directory) as (process, port):
        wait_until_up(process, port)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
            slow.sendall(head(len(ROWS)) + ROWS[:6].encode())
            assert ask(port, "GET", "/ping")[0] == 200
            process.send_signal(signal.SIGTERM)
            assert closes(port)
            slow.sendall(ROWS[6:].encode())
            answer = b"".join(iter(lambda: slow.recv(65536), b""))
        assert [float(one) for one in answer.split(b"\r\n\r\n")[1].split()] == expected
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)


def closes(port: int) -> bool:
    """Does nobody answer any more, within ten seconds?"""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            ask(port, "GET", "/ping")
        except OSError:
            return True
    return False


def test_no_worker_outlives_its_parent(trained_directory: Path) -> None:
    with server(trained_directory, command=TWO_WORKERS) as (process, port):
        wait_until_up(process, port)
        process.kill()
        process.wait()
        assert closes(port)


def test_a_worker_that_dies_ends_the_server_so_that_it_is_started_anew(trained_directory: Path) -> None:
    with server(trained_directory, command=TWO_WORKERS) as (process, port):
        wait_until_up(process, port)
        os.kill(tree(process.pid)[1], signal.SIGKILL)
        assert process.wait(timeout=10) == 1


def test_a_server_without_a_model_stops_with_the_reason(job: Job, capfd: pytest.CaptureFixture[str]) -> None:
    with server(job.base) as (process, _):
        assert process.wait(timeout=20) == 1
    assert "model.onnx" in capfd.readouterr().err


def test_a_model_that_is_not_what_was_signed_is_never_served(
    trained_directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The proof is of another model: whoever swaps the archive gets a container that ends."""
    with server(trained_directory, **environment()) as (process, port):
        assert process.wait(timeout=30) == 1
        with pytest.raises(ConnectionRefusedError):
            ask(port, "GET", "/ping")
    assert "it was changed; nothing is served" in capfd.readouterr().err


def test_the_server_loads_neither_scikit_learn_nor_pandas() -> None:
    code = "import sys, training.serve; print({'sklearn', 'pandas', 'skl2onnx'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
