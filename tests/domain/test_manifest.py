from dataclasses import replace

import pytest

from domain.archive import Digest
from domain.manifest import (
    NO_PROOF,
    PARTS,
    SIGNATURE,
    VALUE_LIMIT,
    Manifest,
    ManifestError,
    Proof,
    signed_part,
    to_parts,
)

MANIFEST = Manifest(
    run="run-0123456789abcdef",
    snapshot="a39525d2bb3cc055",
    content="0123456789abcdef",
    commit="c" * 40,
    image="sha256:" + "a" * 64,
    archive=Digest("1" * 64, 12_345_678),
    report=Digest("2" * 64, 123_456),
    plan=Digest("3" * 64, 1_234),
    files={"model.onnx": Digest("4" * 64, 12_345_678), "schema.json": Digest("5" * 64, 1_234)},
)
TEXT = MANIFEST.to_text()


def test_a_manifest_comes_back_from_its_text() -> None:
    assert Manifest.from_text(TEXT) == MANIFEST


def test_the_order_in_which_files_are_named_changes_nothing() -> None:
    turned = replace(MANIFEST, files=dict(reversed(MANIFEST.files.items())))
    assert turned.to_text() == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        TEXT + " ",
        TEXT + " run=run-2",
        TEXT.replace("=1 ", "=2 ", 1),
        TEXT.replace("run=", "archive=", 1),
        TEXT.replace("1" * 64, "g" * 64),
        TEXT.replace(":12345678", ":012345678", 1),
        " ".join(reversed(TEXT.split(" "))),
        TEXT.replace(" ", "  ", 1),
    ],
)
def test_a_text_that_would_not_be_written_so_is_no_manifest(text: str) -> None:
    with pytest.raises(ManifestError, match="allowed"):
        Manifest.from_text(text)


@pytest.mark.parametrize("value", ["", "two words", "a,b", "a=b", "line\nbreak", "e\u0301tude"])
def test_a_value_that_could_be_read_otherwise_is_not_written(value: str) -> None:
    with pytest.raises(ManifestError, match="one plain word"):
        replace(MANIFEST, commit=value).to_text()


def test_it_fits_the_metadata_of_a_package_and_the_environment_of_a_container() -> None:
    parts = to_parts(TEXT)
    assert tuple(parts) == PARTS
    assert all(0 < len(part) <= VALUE_LIMIT for part in parts.values())
    assert len(TEXT) <= 1024
    assert signed_part({**parts, SIGNATURE: "c2ln", "RunId": "run-1"}) == (TEXT, "c2ln")


def test_one_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ManifestError, match="4 of 256"):
        to_parts(" ".join(["x" * 200] * 5))
    with pytest.raises(ManifestError, match="4 of 256"):
        to_parts("x" * 257)


@pytest.mark.parametrize("lacking", [*PARTS, SIGNATURE])
def test_metadata_that_lack_a_part_never_give_the_whole(lacking: str) -> None:
    whole = {**to_parts(TEXT), SIGNATURE: "c2ln"}
    found = signed_part({name: value for name, value in whole.items() if name != lacking})
    assert found is None or found[0] != TEXT or whole[lacking] == "-"


def test_a_proof_is_a_list_of_three_that_can_be_parted_again() -> None:
    assert Proof(TEXT, "c2ln", "a2V5").to_parameter().split(",") == [TEXT, "c2ln", "a2V5"]
    assert NO_PROOF.to_parameter() == "-,-,-"
