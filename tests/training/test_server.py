"""The application without a socket: what it takes on, what it refuses, and that nobody gets another one's answer."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.job import Job, regression_model_py
from training.artefact import Model
from training.requests import BadRequest, Requests
from training.schema import Schema
from training.server import Limits, Server
from training.telemetry import PredictionMetric

Message = dict[str, Any]
CSV, JSON, LINES, NPY = "text/csv", "application/json", "application/jsonlines", "application/x-npy"
ROW = b"north,1.0,2.5\n"


class Call:
    """One request: its body comes piece by piece, as fast as the test lets it."""

    def __init__(self, server: Server, method: str = "POST", path: str = "/invocations", **headers: str):
        self.server, self.sent = server, list[Message]()
        self.pieces: asyncio.Queue[Message] = asyncio.Queue()
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.scope = {"type": "http", "path": path, "method": method, "headers": named}

    def give(self, body: bytes, *, more: bool = False) -> Call:
        self.pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})
        return self

    def hang_up(self) -> None:
        self.pieces.put_nowait({"type": "http.disconnect"})

    async def answered(self) -> Call:
        await self.server(self.scope, self.pieces.get, self._send)
        return self

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> str:
        return str(self.sent[1]["body"].decode())


def serve(directory: Path, **limits: Any) -> Server:
    model = Model.from_directory(directory / "model")
    return Server(model, name="release-7", metric=PredictionMetric("", "000042"), limits=Limits(**limits))


@pytest.fixture(scope="module")
def server(trained_directory: Path) -> Server:
    return serve(trained_directory, workers=3)


@pytest.fixture(scope="module")
def numbers_only(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A model of one number, wind."""
    base = tmp_path_factory.mktemp("numbers")
    with pytest.MonkeyPatch.context() as monkeypatch:
        job = Job(base, monkeypatch)
        job.use(regression_model_py())
        job.trained()
    return serve(base)


def ask(server: Server, body: bytes, content_type: str = CSV, accept: str = CSV) -> Call:
    return asyncio.run(Call(server, content_type=content_type, accept=accept).give(body).answered())


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def test_what_is_answered_is_captured_and_what_is_refused_is_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[bytes, bytes]] = []

    class Capture:
        def take(self, headers: Any, body: bytes, answer: Any, stamp: str) -> None:
            taken.append((body, answer.body))
            assert stamp.startswith("tideline-release=000042;")

    monkeypatch.setattr(server, "capture", Capture())
    answered = ask(server, ROW)
    assert ask(server, b"north,warm,2.5\n").status == 400
    assert taken == [(ROW, answered.body.encode())]


def test_json_lines_are_objects_or_lists_and_are_answered_a_line_each(server: Server) -> None:
    expected = [
        float(line) for line in ask(server, b"north,1.0,2.5\nsouth,39.0,\nnorth,1.0,2.5").body.split()
    ]
    body = (
        b'{"place": "north", "heat": 1, "wind": 2.5}\n\n["south", 39.0, null]\n'
        b'{"features": ["north", 1.0, 2.5]}'
    )
    lines = [json.loads(line) for line in ask(server, body, LINES, LINES).body.splitlines()]
    assert [line["prediction"] for line in lines] == expected
    assert {line["model"] for line in lines} == {"release-7"}


@pytest.mark.parametrize(
    "body, reason",
    [
        (b'["north", 1, 2]\n{', "row 2 is no JSON"),
        (b'["north", 1, 2]\n["north", "x", 2]', "row 2, column heat: got 'x', expected a finite number"),
        (b'["north", 1, 2],["north", 1, 2]', "row 1 is no JSON"),
        (b"\n", "the body has no rows"),
    ],
)
def test_a_json_line_that_is_wrong_is_named(server: Server, body: bytes, reason: str) -> None:
    call = ask(server, body, LINES)
    assert call.status == 400
    assert call.body.startswith(reason)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f8", "<i4", "u1"])
def test_an_npy_matrix_is_read_as_the_same_numbers_in_csv(numbers_only: Server, dtype: str) -> None:
    array = np.array([[4.0], [1.0]], dtype=dtype)
    assert ask(numbers_only, npy(array), NPY).body == ask(numbers_only, b"4.0\n1.0\n").body


def test_nan_is_what_is_missing_in_npy(numbers_only: Server) -> None:
    assert ask(numbers_only, npy(np.array([[np.nan]])), NPY).body == ask(numbers_only, b"wind\n\n").body


@pytest.mark.parametrize(
    "body, reason",
    [
        (npy(np.array([[1.0], [np.inf]])), "row 2, column wind: got inf, expected a finite number"),
        (npy(np.array([[1e39]])), "row 1, column wind: got 1e+39, expected a finite number"),
        (npy(np.zeros((2, 3))), "the array has 3 columns, expected 1: wind"),
        (npy(np.zeros(3)), "the array is float64 of shape (3,), expected numbers in two dimensions"),
        (npy(np.array([["a"]])), "the array is <U1 of shape (1, 1), expected numbers"),
        (npy(np.array([[{"a": 1}]], dtype=object)), "the array is object of shape (1, 1), expected numbers"),
        (npy(np.zeros((0, 1))), "the body has no rows"),
        (npy(np.zeros((2, 1)))[:-1], "the header says float64 of shape (2, 1), the body has 15 bytes"),
        (npy(np.zeros((2, 1))).replace(b"(2, 1)", b"(9**9,"), "the body is no npy file"),
        (npy(np.zeros((2, 1))).replace(b"(2, 1), ", b"(2**62,1"), "the body is no npy file"),
        (b"\x93NUMPY", "the body is no npy file"),
        (b"", "the body is no npy file"),
    ],
)
def test_an_npy_body_that_is_wrong_is_refused_by_its_reason(
    numbers_only: Server, body: bytes, reason: str
) -> None:
    call = ask(numbers_only, body, NPY)
    assert call.status == 400
    assert call.body.startswith(reason)


def test_npy_has_no_place_for_texts_and_says_so(server: Server) -> None:
    call = ask(server, npy(np.zeros((1, 3))), NPY)
    assert (call.status, call.body[:54]) == (400, "application/x-npy carries numbers, and place are texts")


def test_batch_transform_is_told_what_a_container_takes(server: Server) -> None:
    call = asyncio.run(Call(server, "GET", "/execution-parameters").answered())
    assert json.loads(call.body) == {
        "MaxConcurrentTransforms": 3,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_what_comes_when_the_server_is_full_is_told_to_come_again(trained_directory: Path) -> None:
    full = serve(trained_directory, requests=2)

    async def three_at_once() -> list[Call]:
        calls = [Call(full, content_type=CSV).give(ROW) for _ in range(3)]
        return await asyncio.gather(*(call.answered() for call in calls))

    calls = asyncio.run(three_at_once())
    assert [call.status for call in calls] == [200, 200, 503]
    assert calls[2].headers[b"retry-after"] == b"1"
    assert ask(full, ROW).status == 200


def test_bodies_that_wait_share_a_bounded_memory(trained_directory: Path) -> None:
    small = serve(trained_directory, body_mib=1, buffered_mib=1)

    async def two_slow_ones() -> list[Call]:
        calls = [Call(small, content_type=CSV).give(ROW * 45_000, more=True) for _ in range(2)]
        waiting = [asyncio.create_task(call.answered()) for call in calls]
        await asyncio.sleep(0)
        calls[0].give(ROW)
        return await asyncio.gather(*waiting)

    first, second = asyncio.run(two_slow_ones())
    assert (first.status, second.status) == (200, 503)
    assert (small.admission.requests, small.admission.bytes) == (0, 0)


def test_a_body_that_does_not_come_is_not_waited_for(trained_directory: Path) -> None:
    hasty = serve(trained_directory, body_seconds=0.01)
    call = asyncio.run(Call(hasty, content_type=CSV).give(b"north,", more=True).answered())
    assert (call.status, hasty.admission.requests) == (408, 0)


def test_a_caller_who_hangs_up_frees_its_place(server: Server) -> None:
    call = Call(server, content_type=CSV).give(b"north,", more=True)
    call.hang_up()
    assert asyncio.run(call.answered()).sent == []
    assert (server.admission.requests, server.admission.bytes) == (0, 0)


@pytest.mark.parametrize("length", ["6291457", "9" * 4000])
def test_a_body_that_says_it_is_too_long_is_refused_unread(server: Server, length: str) -> None:
    call = asyncio.run(Call(server, content_type=CSV, content_length=length).answered())
    assert call.status == 413


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_prediction_that_is_not_finite_is_no_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    monkeypatch.setattr(server.model, "answer", lambda _: np.array([0.5, wrong, wrong]))
    call = ask(server, ROW * 3)
    assert (call.status, call.body) == (500, "the model answered row 2 with a value that is not finite\n")


TYPES = st.sampled_from([CSV, JSON, LINES, NPY, "", "text/csv; charset=utf-16", "\x7f", "a/b,c/d;;"])
HOSTILE = (
    st.binary(max_size=300)
    | st.text(alphabet="0123456789.,-+eE\n\r\"'[]{}nul tinfa\x00\ufeff", max_size=200).map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    ).map(lambda value: json.dumps({"instances": value}).encode())
    | st.binary(max_size=60).map(lambda tail: npy(np.zeros((2, 1)))[:70] + tail)
)
CHEAP = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@CHEAP
@given(body=HOSTILE, content_type=TYPES, accept=TYPES)
def test_whatever_comes_is_answered_or_refused_by_a_reason(
    server: Server, numbers_only: Server, body: bytes, content_type: str, accept: str
) -> None:
    for one in (server, numbers_only):
        call = ask(one, body, content_type, accept)
        assert call.status in (200, 400, 406, 415)
        assert call.body.endswith("\n") or call.status == 200
        assert (one.admission.requests, one.admission.bytes) == (0, 0)


CELL = st.one_of(
    st.sampled_from(["", "0", "-0", "1e5", "-1.5E-3", "+1", "01", "1.", ".5", "1_0", "nan", "inf", "1e39", "x", " 2"]),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
)  # fmt: skip


def read(body: str) -> Any:
    """The numbers that a model of two takes from a CSV body, or the refusal."""
    reader = Requests(Schema.of("binary", "y", "t", {"a": "number", "b": "number"}))
    try:
        return reader.read_csv(body.encode()).numbers
    except BadRequest as refusal:
        return str(refusal)


def test_rows_of_uneven_length_are_not_dealt_out_anew() -> None:
    assert read("1,2,3\n4\n") == "row 1 has 3 cells, expected 2: a,b"


ROWS = st.lists(st.lists(CELL, min_size=2, max_size=2) | st.lists(CELL, max_size=3), min_size=1, max_size=4)


@CHEAP
@given(rows=ROWS, end=st.sampled_from(["", "\n", "\r\n"]))
def test_the_quick_way_and_the_careful_way_read_the_same(rows: list[list[str]], end: str) -> None:
    quick = read("\n".join(",".join(row) for row in rows) + end)
    careful = read("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows) + end)
    if not isinstance(careful, str):
        np.testing.assert_array_equal(quick, careful)
    elif [""] in rows:  # quoted it is a cell, unquoted none: both are refused, with another count
        assert isinstance(quick, str)
    else:
        assert quick == careful


@settings(CHEAP, max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(0, 40, width=16), st.lists(st.integers(1, 12), max_size=4), st.booleans()),
        min_size=2,
        max_size=8,
    )
)
def test_callers_at_once_get_each_their_own_answer(server: Server, plan: list[Any]) -> None:
    """Bodies come in pieces, in turns; some callers hang up in the middle."""

    async def all_at_once() -> list[Call]:
        async def one(heat: float, cuts: list[int], stays: bool) -> Call:
            call, body = Call(server, content_type=CSV, accept=JSON), f"north,{heat},2.5".encode()
            answered: Awaitable[Call] = asyncio.create_task(call.answered())
            for cut in cuts:
                call.give(body[:cut], more=True)
                body = body[cut:]
                await asyncio.sleep(0)
            call.give(body) if stays else call.hang_up()
            return await answered

        return await asyncio.gather(*(one(*each) for each in plan))

    for call, (heat, _, stays) in zip(asyncio.run(all_at_once()), plan, strict=True):
        if stays:
            alone = ask(server, f"north,{heat},2.5".encode(), CSV, JSON)
            assert call.body == alone.body
    assert (server.admission.requests, server.admission.bytes) == (0, 0)
