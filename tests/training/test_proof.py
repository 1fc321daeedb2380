"""What the server asks of its model before it takes a port."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from domain.archive import Digest
from domain.manifest import MODEL_FILES, PROOF_VARIABLES, Manifest
from training import proof
from training.errors import Refused

KEY = ec.derive_private_key(7, ec.SECP256R1())
OTHER = ec.derive_private_key(8, ec.SECP256R1())
FILES = {name: f"what {name} holds".encode() for name in MODEL_FILES}
SIGNED = Manifest(
    run="run-1",
    snapshot="s",
    content="c",
    commit="unknown",
    image="sha256:" + "a" * 64,
    archive=Digest("1" * 64, 1),
    report=Digest("2" * 64, 1),
    plan=Digest("3" * 64, 1),
    files={name: Digest.of(content) for name, content in FILES.items()},
)


def der(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    format_ = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, format_)).decode()


def environment(
    text: str = SIGNED.to_text(), signer: ec.EllipticCurvePrivateKey = KEY, **changes: str
) -> dict[str, str]:
    signature = base64.b64encode(signer.sign(text.encode(), ec.ECDSA(hashes.SHA256()))).decode()
    return {**dict(zip(PROOF_VARIABLES, (text, signature, der(KEY)), strict=True)), **changes}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_model_that_is_what_was_signed_is_served(model: Path) -> None:
    assert proof.require(model, environment()) == SIGNED


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_file_that_was_changed_is_not_served(model: Path, name: str) -> None:
    (model / name).write_bytes(FILES[name] + b" ")
    with pytest.raises(Refused, match=f"{name} is .*it was changed; nothing is served"):
        proof.require(model, environment())


def test_the_two_files_in_each_others_place_are_not_served(model: Path) -> None:
    one, two = (model / name for name in MODEL_FILES)
    one.write_bytes(FILES[MODEL_FILES[1]])
    two.write_bytes(FILES[MODEL_FILES[0]])
    with pytest.raises(Refused, match="it was changed"):
        proof.require(model, environment())


FORGED = {
    "of another key": environment(signer=OTHER),
    "of another text": {**environment(), PROOF_VARIABLES[0]: SIGNED.to_text().replace("run-1", "run-2")},
    "with another public key": environment(**{PROOF_VARIABLES[2]: der(OTHER)}),
    "with a key of another kind": environment(
        **{PROOF_VARIABLES[2]: der(rsa.generate_private_key(65537, 2048))}
    ),
    "with a key that is none": environment(**{PROOF_VARIABLES[2]: "AAAA"}),
    "that is no base64": environment(**{PROOF_VARIABLES[1]: "!"}),
    **{f"without {name}": environment(**{name: "-"}) for name in PROOF_VARIABLES},
    **{f"with an empty {name}": environment(**{name: ""}) for name in PROOF_VARIABLES},
}


@pytest.mark.parametrize("kind", sorted(FORGED))
def test_a_forged_signature_stops_the_server(model: Path, kind: str) -> None:
    with pytest.raises(Refused, match="nothing is served"):
        proof.require(model, FORGED[kind])


def test_a_signed_text_that_is_no_manifest_stops_the_server(model: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        proof.require(model, environment("hello"))


def test_a_manifest_that_leaves_a_file_out_vouches_for_nothing(model: Path) -> None:
    part = Manifest(**{**vars(SIGNED), "files": {MODEL_FILES[1]: SIGNED.files[MODEL_FILES[1]]}})
    with pytest.raises(Refused, match="signed is None"):
        proof.require(model, environment(part.to_text()))


@pytest.mark.parametrize(
    "given", [{}, dict.fromkeys(PROOF_VARIABLES, "-")], ids=["by hand", "before signing"]
)
def test_where_no_release_names_a_proof_none_is_asked_for(model: Path, given: dict[str, str]) -> None:
    assert proof.require(model, given) is None
