import base64
import io
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.capture import LONGEST_CELL, Exchange, Truth, parse_capture, parse_labels, stamp

COLUMNS = ("hour", "origin")
DIGEST = "9f86d081884c7d65"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/1"
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def side(data: Any, encoding: str = "CSV", content_type: str = "text/csv") -> dict[str, Any]:
    return {"data": data, "encoding": encoding, "observedContentType": content_type, "mode": "INPUT"}


def json_side(body: Any) -> dict[str, Any]:
    return side(json.dumps(body), "JSON", "application/json")


def line(given: dict[str, Any], answered: dict[str, Any], **meta: Any) -> str:
    metadata = {"eventId": "event-1", "inferenceId": "flight-1", "inferenceTime": "2013-04-20T13:00:00Z"}
    return json.dumps(
        {
            "captureData": {"endpointInput": given, "endpointOutput": answered},
            "eventMetadata": {**metadata, **meta},
            "eventVersion": "0",
        }
    )


ONE_ROW = line(side("7,JFK\n"), side("0.25\n"))
READ = Exchange("flight-1", datetime(2013, 4, 20, 13, tzinfo=UTC), (("7", "JFK"),), (0.25,), "")
LABEL = '{"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{"eventId":"flight-1"},"eventVersion":"0"}'


def rows(text: str) -> tuple[tuple[str, ...], ...]:
    exchanges, skipped = parse_capture(text, COLUMNS)
    assert (len(exchanges), skipped) == (1, 0)
    return exchanges[0].rows


def test_a_csv_line_is_read() -> None:
    assert parse_capture(ONE_ROW, COLUMNS) == ([READ], 0)


@pytest.mark.parametrize(
    "attributes",
    [
        [stamp(PACKAGE, "000042", DIGEST)],
        ["trace=17", stamp(PACKAGE, "000042", DIGEST)],
        stamp(PACKAGE, "", DIGEST),
    ],
)
def test_a_csv_answer_names_its_model_by_the_stamp_of_the_server(attributes: object) -> None:
    exchanges, _ = parse_capture(line(side("7,JFK"), side("0.25"), customAttributes=attributes), COLUMNS)
    assert exchanges[0].model == PACKAGE


def test_a_json_answer_s_own_word_counts_more_than_attributes_that_a_caller_may_have_sent() -> None:
    answered = json_side({"model": PACKAGE, "predictions": [0.25]})
    forged = line(side("7,JFK"), answered, customAttributes=[stamp("arn:package/9", "000001", DIGEST)])
    exchanges, _ = parse_capture(forged, COLUMNS)
    assert exchanges[0].model == PACKAGE


def test_attributes_without_a_stamp_name_no_model() -> None:
    exchanges, _ = parse_capture(line(side("7,JFK"), side("0.25"), customAttributes=["a=b"]), COLUMNS)
    assert exchanges[0].model == ""


def test_base64_holds_what_the_content_type_says() -> None:
    def packed(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    assert rows(line(side(packed("7,JFK"), "BASE64"), side(packed("0.25"), "BASE64"))) == (("7", "JFK"),)
    body = packed(json.dumps({"instances": [[7, "JFK"]]}))
    assert rows(line(side(body, "BASE64", "application/json; charset=utf-8"), side("0.25"))) == (
        ("7", "JFK"),
    )


def test_a_json_answer_names_the_model_that_gave_it() -> None:
    text = line(json_side({"instances": [[7, "JFK"]]}), json_side({"model": PACKAGE, "predictions": [0.25]}))
    (exchange,), _ = parse_capture(text, COLUMNS)
    assert (exchange.model, exchange.predictions) == (PACKAGE, (0.25,))


def test_json_rows_by_name_or_in_order_are_the_same_rows_and_null_is_an_empty_cell() -> None:
    by_name = line(json_side({"instances": [{"origin": None, "hour": 7}]}), side("0.25"))
    in_order = line(json_side({"instances": [[7, None]]}), side("0.25"))
    assert rows(by_name) == rows(in_order) == (("7", ""),)


def test_a_first_line_may_name_the_columns_in_another_order() -> None:
    assert rows(line(side("origin,hour\nJFK,7\nEWR,8"), side("0.25\n0.5"))) == (("7", "JFK"), ("8", "EWR"))


def test_a_header_that_names_a_column_twice_is_data_and_does_not_fit() -> None:
    assert parse_capture(line(side("hour,origin,hour\n7,JFK,7"), side("0.25")), COLUMNS) == ([], 1)


def test_a_quoted_cell_keeps_its_comma_and_its_line_break() -> None:
    assert rows(line(side('7,"Kennedy, John\nF."'), side("0.25"))) == (("7", "Kennedy, John\nF."),)


def test_without_an_inference_id_the_event_id_names_the_exchange() -> None:
    (exchange,), _ = parse_capture(line(side("7,JFK"), side("0.25"), inferenceId=None), COLUMNS)
    assert exchange.inference_id == "event-1"


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param("not JSON", id="not JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("[" * 100_000, id="nested too deep"),
        pytest.param(line(side("7,JFK"), side("0.25\n0.5")), id="more predictions than rows"),
        pytest.param(line(side("7,JFK,x"), side("0.25")), id="too many cells"),
        pytest.param(line(side("7"), side("0.25")), id="too few cells"),
        pytest.param(
            line(json_side({"instances": [[7, "JFK", 1]]}), side("0.25")), id="a list that is too long"
        ),
        pytest.param(line(json_side({"instances": ["7J"]}), side("0.25")), id="a text as a row"),
        pytest.param(line(json_side({"instances": [{"hour": 7}]}), side("0.25")), id="a column is missing"),
        pytest.param(line(side("7,JFK"), side("nan")), id="a prediction is no number"),
        pytest.param(
            line(side("7,JFK"), json_side({"predictions": [10**400]})), id="a prediction is too large"
        ),
        pytest.param(line(side("***", "BASE64"), side("0.25")), id="not BASE64"),
        pytest.param(line(side("/w==", "BASE64"), side("0.25")), id="not UTF-8"),
        pytest.param(line(side("7,J\rFK"), side("0.25")), id="a carriage return in a cell"),
        pytest.param(line(side("7," + "J" * 200_000), side("0.25")), id="a cell too long for the csv module"),
        pytest.param(
            line(json_side({"instances": [[7, "J" * (LONGEST_CELL + 1)]]}), side("0.25")),
            id="a cell too long",
        ),
        pytest.param(line(json_side({"instances": [[7, "\ud800"]]}), side("0.25")), id="half a character"),
        pytest.param(line(json_side({"instances": [[7, "J\rF"]]}), side("0.25")), id="a control character"),
        pytest.param(line(side("7,JFK"), side("0.25"), inferenceTime="soon"), id="no time"),
        pytest.param(
            line(side("7,JFK"), side("0.25"), inferenceTime="0001-01-01T00:00:00+09:00"), id="before all time"
        ),
    ],
)
def test_what_cannot_be_read_is_counted_and_the_next_line_is_read(junk: str) -> None:
    assert parse_capture(f"{junk}\n{ONE_ROW}\n", COLUMNS) == ([READ], 1)


def test_blank_lines_are_no_lines() -> None:
    assert parse_capture(f"\n\n{ONE_ROW}\n  \n", COLUMNS) == ([READ], 0)


def test_a_line_separator_inside_a_json_text_does_not_end_the_line() -> None:
    text = line(json_side({"instances": [[7, "J"]]}), side("0.25")).replace("flight-1", "a\u2028b")
    (exchange,), skipped = parse_capture(text, COLUMNS)
    assert (exchange.inference_id, skipped) == ("a\u2028b", 0)


@given(st.binary())
def test_bytes_of_junk_before_a_line_never_stop_the_reader(junk: bytes) -> None:
    text = junk.decode(errors="replace")
    exchanges, skipped = parse_capture(f"{text}\n{ONE_ROW}", COLUMNS)
    assert exchanges == [READ]
    assert skipped == sum(1 for one in text.split("\n") if one.strip())


@given(
    part=st.sampled_from(["endpointInput", "endpointOutput", "eventMetadata", "data", "encoding"]),
    junk=ANYTHING,
)
def test_any_json_in_any_place_of_a_line_is_read_or_counted(part: str, junk: Any) -> None:
    raw = json.loads(ONE_ROW)
    for holder in (raw["captureData"], raw["captureData"]["endpointInput"], raw):
        if part in holder:
            holder[part] = junk
    exchanges, skipped = parse_capture(f"{json.dumps(raw)}\n{ONE_ROW}", COLUMNS)
    assert len(exchanges) + skipped == 2
    assert exchanges[-1] == READ
    assert all(len(row) == len(COLUMNS) for exchange in exchanges for row in exchange.rows)


@given(instances=ANYTHING, predictions=ANYTHING)
def test_any_json_body_is_read_or_counted(instances: Any, predictions: Any) -> None:
    text = line(json_side({"instances": instances}), json_side({"predictions": predictions}))
    exchanges, skipped = parse_capture(text, COLUMNS)
    assert len(exchanges) + skipped == 1


def test_a_label_line_is_read() -> None:
    assert parse_labels(LABEL) == ([Truth("flight-1", ("1",))], 0)


def test_the_labels_of_several_rows_are_told_apart_by_lines() -> None:
    assert parse_labels(LABEL.replace('"1"', '"1\\n\\n0"'))[0] == [Truth("flight-1", ("1", "", "0"))]


@given(st.binary() | ANYTHING.map(lambda junk: json.dumps({"groundTruthData": junk}).encode()))
def test_junk_among_labels_is_counted_and_the_label_is_read(junk: bytes) -> None:
    text = junk.decode(errors="replace")
    truths, skipped = parse_labels(f"{text}\n{LABEL}")
    assert truths == [Truth("flight-1", ("1",))]
    assert skipped == sum(1 for one in text.split("\n") if one.strip())


def encoded(body: bytes, content_type: str) -> dict[str, Any]:
    return side(base64.b64encode(body).decode(), "BASE64", content_type)


@pytest.mark.parametrize(
    "body",
    [
        '{"hour": 7, "origin": "JFK"}\n\n[8, null]\n',
        '{"features": [7, "JFK"]}\n{"features": [8, null]}',
    ],
)
def test_json_lines_are_read_on_both_sides(body: str) -> None:
    answered = '{"prediction":0.25,"model":"m"}\n{"prediction":0.5,"model":"m"}\n'
    kind = "application/jsonlines"
    captured = line(encoded(body.encode(), kind), encoded(answered.encode(), kind))
    (exchange,), skipped = parse_capture(captured, COLUMNS)
    assert skipped == 0
    assert exchange.rows == (("7", "JFK"), ("8", ""))
    assert (exchange.predictions, exchange.model) == ((0.25, 0.5), "m")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i4", "u1"])
def test_an_npy_matrix_is_read_as_text_of_its_numbers(dtype: str, order: Any) -> None:
    array = np.array([[1, 2], [3, 4]], dtype=dtype, order=order)
    given = encoded(npy(array), "application/x-npy")
    (exchange,), _ = parse_capture(line(given, side("0.25\n0.5\n")), COLUMNS)
    assert [[float(cell) for cell in row] for row in exchange.rows] == [[1, 2], [3, 4]]


def test_nan_in_npy_is_missing() -> None:
    given = encoded(npy(np.array([[np.nan, 2.5]])), "application/x-npy")
    assert rows(line(given, side("0.25\n"))) == (("", "2.5"),)


@given(st.binary(max_size=80))
def test_an_npy_body_of_junk_is_skipped(tail: bytes) -> None:
    body = npy(np.zeros((2, 2)))[:70] + tail
    assert parse_capture(line(encoded(body, "application/x-npy"), side("1\n2\n")), COLUMNS) == ([], 1)


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
