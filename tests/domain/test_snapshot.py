import csv
import gzip
import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.capture import Exchange, Truth, parse_capture
from domain.loss import LossDay, by_day, row_loss_day
from domain.snapshot import (
    Joined,
    Manifest,
    Part,
    Schema,
    describe_part,
    encode_part,
    join,
    joined_rows,
    part_key,
    table_columns,
)

BINARY = Schema("binary", "late", "event_time", ("hour", "origin"))
REGRESSION = replace(BINARY, task="regression", target="delay")
NOON = datetime(2013, 4, 20, 12, tzinfo=UTC)
PACKAGES = ("arn:package/1", "arn:package/2")
DAY = "2013-04-20"


def exchange(
    name: str = "flight-1", *predictions: float, model: str = PACKAGES[0], hour: int = 0
) -> Exchange:
    answers = predictions or (0.25,)
    rows = tuple((str(i), "JFK") for i in range(len(answers)))
    return Exchange(name, NOON + timedelta(hours=hour), rows, answers, model)


EXCHANGES = st.lists(
    st.builds(
        exchange,
        st.sampled_from([f"flight-{i}" for i in range(6)]),
        st.floats(0, 1),
        st.floats(0, 1),
        model=st.sampled_from(PACKAGES),
        hour=st.integers(0, 5),
    ),
    max_size=8,
)
LABEL = st.sampled_from(["0", "1", "", "junk", "2", "nan"])
TRUTHS = st.dictionaries(
    st.sampled_from([f"flight-{i}" for i in range(8)]), st.tuples(LABEL, LABEL), max_size=8
).map(lambda labels: [Truth(name, pair) for name, pair in labels.items()])


def part_bytes(joined: Joined) -> bytes:
    return encode_part(table_columns(BINARY), joined.rows)


def test_a_label_meets_the_row_that_was_captured_under_its_inference_id() -> None:
    joined = join([exchange()], [Truth("flight-1", ("1",))], BINARY)
    assert joined.rows == (("2013-04-20T12:00:00Z", "0", "JFK", "1", "flight-1", "0", PACKAGES[0], "0.25"),)
    assert joined.loss == {PACKAGES[0]: (LossDay(DAY, 1, 562_500, 187_500),)}
    assert len(joined.rows[0]) == len(table_columns(BINARY))


def test_a_label_without_its_request_is_counted_as_unmatched() -> None:
    joined = join([exchange()], [Truth("flight-1", ("1",)), Truth("flight-9", ("1",))], BINARY)
    assert (len(joined.rows), joined.unmatched) == (1, 1)


def test_a_label_too_few_is_unmatched_but_an_empty_one_waits_without_being_bad() -> None:
    short = join([exchange("f", 0.1, 0.2)], [Truth("f", ("1",))], BINARY)
    assert (len(short.rows), short.unmatched) == (0, 1)
    empty = join([exchange("f", 0.1, 0.2)], [Truth("f", ("", "1"))], BINARY)
    assert (len(empty.rows), empty.unmatched, empty.bad_labels) == (1, 0, 0)


def test_a_line_break_after_the_last_label_begins_no_label() -> None:
    joined = join([exchange("f", 0.1, 0.2)], [Truth("f", ("1", "0", ""))], BINARY)
    assert (len(joined.rows), joined.unmatched) == (2, 0)


@pytest.mark.parametrize("label", ["junk", "2", "nan", "inf", "1_0", "١", "1e999"])
def test_a_label_that_is_none_of_the_task_is_counted_and_left_out(label: str) -> None:
    joined = join([exchange("f", 0.1, 0.2)], [Truth("f", (label, "1"))], BINARY)
    assert (len(joined.rows), joined.bad_labels) == (1, 1)


@pytest.mark.parametrize("label", ["nan", "-inf", "1e200", "1_0", "junk"])
def test_a_number_whose_loss_is_no_number_is_a_bad_label_too(label: str) -> None:
    joined = join([exchange("f", 10.0)], [Truth("f", (label,))], REGRESSION)
    assert (joined.rows, joined.bad_labels) == ((), 1)


def test_of_a_request_that_was_sent_again_the_last_answer_counts() -> None:
    again = exchange("f", 0.75, model=PACKAGES[1], hour=1)
    joined = join([again, exchange("f", 0.25)], [Truth("f", ("1",))], BINARY)
    assert joined.loss == {PACKAGES[1]: (LossDay(DAY, 1, 62_500, 187_500),)}


def test_of_two_labels_of_a_request_the_later_one_is_its_correction() -> None:
    joined = join([exchange("f")], [Truth("f", ("0",)), Truth("f", ("1",))], BINARY)
    assert [row[3] for row in joined.rows] == ["1"]


def test_a_row_that_got_its_label_before_does_not_come_again() -> None:
    truths = [Truth("f", ("1", "0"))]
    first = join([exchange("f", 0.1, 0.2)], [Truth("f", ("1", ""))], BINARY)
    again = join([exchange("f", 0.1, 0.2)], truths, BINARY, taken=joined_rows(part_bytes(first)))
    assert [row[5] for row in again.rows] == ["1"]
    assert [(day.rows, day.micro_loss) for day in again.loss[PACKAGES[0]]] == [(1, 40_000)]


@given(EXCHANGES, TRUTHS, st.randoms(use_true_random=False))
def test_neither_the_order_of_lines_nor_lines_sent_twice_change_the_bytes(
    exchanges: list[Exchange], truths: list[Truth], random: Random
) -> None:
    def shuffled(these: list[Any]) -> list[Any]:
        mixed = these * 2
        random.shuffle(mixed)
        return mixed

    once, mixed = join(exchanges, truths, BINARY), join(shuffled(exchanges), shuffled(truths), BINARY)
    assert part_bytes(once) == part_bytes(mixed)
    assert once == mixed


def test_labels_in_another_order_give_the_same_bytes() -> None:
    exchanges = [exchange(name, 0.25, 0.5) for name in ("a", "b", "c")]
    truths = [Truth(name, ("1", "0")) for name in ("a", "b", "c")]
    turned = join(reversed(exchanges), reversed(truths), BINARY)
    assert part_bytes(turned) == part_bytes(join(exchanges, truths, BINARY))


@given(EXCHANGES, TRUTHS)
def test_every_label_is_a_row_or_counted(exchanges: list[Exchange], truths: list[Truth]) -> None:
    joined = join(exchanges, truths, BINARY)
    known = {one.inference_id for one in exchanges}
    matched = [label for truth in truths if truth.inference_id in known for label in truth.labels if label]
    assert joined.unmatched == sum(truth.inference_id not in known for truth in truths)
    assert len(joined.rows) + joined.bad_labels == len(matched)


@given(EXCHANGES, TRUTHS)
def test_the_loss_of_each_model_is_the_sum_over_its_rows_by_the_day_of_the_request(
    exchanges: list[Exchange], truths: list[Truth]
) -> None:
    joined = join(exchanges, truths, BINARY)
    found: dict[str, list[LossDay]] = {}
    for time, *_, label, _name, _row, model, prediction in joined.rows:
        lost = row_loss_day("binary", time[:10], float(prediction), float(label))
        found.setdefault(model, []).append(lost)
    assert joined.loss == {model: tuple(by_day(days)) for model, days in found.items()}


def test_labels_of_requests_of_two_days_that_come_together_count_for_their_own_days() -> None:
    late, early = exchange("late", 0.5, hour=11), exchange("early", 0.5, hour=13)
    joined = join([late, early], [Truth("late", ("1",)), Truth("early", ("1",))], BINARY)
    assert [day.day for day in joined.loss[PACKAGES[0]]] == ["2013-04-20", "2013-04-21"]


@given(st.lists(st.tuples(*[st.text(st.characters() | st.sampled_from('\r\n",\ud800\0'))] * 2), min_size=1))
def test_whatever_cell_is_captured_the_part_can_be_read_again(cells: list[tuple[str, str]]) -> None:
    def side(body: object) -> dict[str, str]:
        return {"data": json.dumps(body), "encoding": "JSON", "observedContentType": "application/json"}

    line = {
        "captureData": {
            "endpointInput": side({"instances": cells}),
            "endpointOutput": side({"predictions": [0.5] * len(cells)}),
        },
        "eventMetadata": {"eventId": "f", "inferenceTime": "2013-04-20T12:00:00Z"},
    }
    exchanges, _ = parse_capture(json.dumps(line), BINARY.features)
    joined = join(exchanges, [Truth("f", ("1",) * len(cells))], BINARY)
    if joined.rows:
        part, columns = describe_part(part_bytes(joined), version_id="v", time="event_time")
        assert (part.rows, columns) == (len(cells), table_columns(BINARY))


def test_a_part_is_described_by_what_is_in_it() -> None:
    joined = join([exchange("a", hour=3), exchange("b")], [Truth("a", ("1",)), Truth("b", ("0",))], BINARY)
    body = part_bytes(joined)
    part, columns = describe_part(
        body, version_id="v1", time="event_time", label_day="2013/04/20", loss=joined.loss
    )
    assert columns == table_columns(BINARY)
    assert part == Part(
        key=part_key(body),
        version_id="v1",
        sha256=hashlib.sha256(body).hexdigest(),
        rows=2,
        first_time="2013-04-20T12:00:00Z",
        last_time="2013-04-20T15:00:00Z",
        label_day="2013/04/20",
        loss={PACKAGES[0]: (LossDay(DAY, 2, 625_000, 375_000),)},
    )
    assert joined_rows(body) == {("a", "0"), ("b", "0")}


def test_a_table_of_history_has_no_joined_rows() -> None:
    assert joined_rows(encode_part(["event_time", "late"], [["2013", "1"]])) == set()


def test_a_part_is_a_csv_with_unix_lines_and_no_time_of_its_making() -> None:
    body = encode_part(["a", "b"], [["1", "x,y"]])
    assert gzip.decompress(body) == b'a,b\n1,"x,y"\n'
    assert body[4:8] == bytes(4)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "at least one row"),
        (b"event_time,late\n2013,1\n", "not a gzipped CSV"),
        (gzip.compress(b"event_time,late\n2013,1\n", mtime=0)[:-9], "not a gzipped CSV"),
        (gzip.compress(b"event_time\n\xff\n", mtime=0), "not a gzipped CSV"),
        (gzip.compress(b"event_time\n", mtime=0), "at least one row"),
        (gzip.compress(b"time,late\n2013,1\n", mtime=0), "a header with 'event_time'"),
        (gzip.compress(b"event_time,late\n2013,1\n2014\n", mtime=0), "row 2 has 1 cells, the header has 2"),
        (gzip.compress(b"event_time\n" + b"x" * 200_000, mtime=0), "not a gzipped CSV"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        describe_part(body, version_id="v", time="event_time")


@given(st.binary())
def test_bytes_of_junk_are_no_table(body: bytes) -> None:
    for data in (body, gzip.compress(body, mtime=0)):
        with pytest.raises(ValueError):
            describe_part(data, version_id="v", time="a column that no junk has")


def test_a_blank_last_line_of_a_table_is_no_row() -> None:
    part, _ = describe_part(gzip.compress(b"event_time,late\n2013,1\n\n"), version_id="v", time="event_time")
    assert part.rows == 1


HEX = st.text("0123456789abcdef", min_size=16, max_size=16)
PARTS = st.lists(
    st.builds(
        Part,
        key=st.text(min_size=1),
        version_id=st.text(),
        sha256=HEX,
        rows=st.integers(1, 10**6),
        first_time=st.text(),
        last_time=st.text(),
        label_day=st.sampled_from(["", "2013/04/20"]),
        loss=st.dictionaries(
            st.sampled_from(PACKAGES),
            st.tuples(st.builds(LossDay, st.just(DAY), st.integers(0), st.integers(0), st.integers(0))),
        ),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
MANIFESTS = st.builds(
    Manifest,
    columns=st.lists(st.text()).map(tuple),
    parts=PARTS,
    created=st.text(),
    previous=st.none() | HEX,
    label_files=st.lists(st.text()).map(tuple),
    unmatched_labels=st.integers(0),
    skipped_lines=st.integers(0),
)


@given(MANIFESTS)
def test_a_manifest_survives_its_json(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest


@given(MANIFESTS, st.text())
def test_the_id_is_of_the_content_and_of_nothing_else(manifest: Manifest, text: str) -> None:
    told_otherwise = replace(manifest, created=text, label_files=(text,), previous=text, unmatched_labels=7)
    assert told_otherwise.id == manifest.id
    assert replace(manifest, parts=(*manifest.parts, manifest.parts[0])).id != manifest.id
    changed = replace(manifest.parts[0], sha256="f" * 64)
    assert replace(manifest, parts=(changed, *manifest.parts[1:])).id != manifest.id


@given(MANIFESTS)
def test_the_download_list_names_the_bucket_once_and_then_each_part(manifest: Manifest) -> None:
    first, *rest = json.loads(manifest.to_download("data"))
    assert first == {"prefix": "s3://data/"}
    assert rest == [part.key for part in manifest.parts]


@given(MANIFESTS)
def test_a_snapshot_has_the_rows_of_its_parts_and_lies_under_its_id(manifest: Manifest) -> None:
    assert manifest.rows == sum(part.rows for part in manifest.parts)
    assert manifest.key == f"snapshots/{manifest.id}/manifest.json"
    assert manifest.download_key == f"snapshots/{manifest.id}/parts.manifest"


def test_a_manifest_of_another_format_is_refused() -> None:
    manifest = Manifest(("a",), (), "2013")
    with pytest.raises(ValueError, match="got format 9; this code reads 1, 2, 3"):
        Manifest.from_json(manifest.to_json().replace('"format": 3', '"format": 9'))


def test_a_manifest_of_the_first_format_keeps_its_losses_under_the_day_of_the_labels() -> None:
    body = json.loads(
        Manifest(("t",), (Part("parts/1", "v", "sha", 3, "", "", "2013/04/20"),), "2013").to_json()
    )
    body["format"], body["parts"][0]["loss"] = 1, {PACKAGES[0]: [3, 750_000]}
    manifest = Manifest.from_json(json.dumps(body))
    assert manifest.parts[0].loss == {PACKAGES[0]: (LossDay(DAY, 3, 750_000, 0),)}
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_the_same_rows_give_the_same_name() -> None:
    bodies = [encode_part(["a"], [["1"]]), encode_part(["a"], [["1"]]), encode_part(["a"], [["2"]])]
    first, same, other = map(part_key, bodies)
    assert first == same != other
    assert list(csv.reader(io.StringIO(gzip.decompress(bodies[2]).decode()))) == [["a"], ["2"]]
