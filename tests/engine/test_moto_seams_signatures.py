"""KMS signs for real, the same in each life, and refuses what it did not sign."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.engine.runtime_world import World, world

ALGORITHM = "ECDSA_SHA_256"


def key_pair(aws: World) -> tuple[str, bytes]:
    kms = aws.account.client("kms")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    return key, kms.get_public_key(KeyId=key)["PublicKey"]


def sign(aws: World, key: str, message: bytes) -> bytes:
    signed = aws.account.client("kms").sign(KeyId=key, Message=message, SigningAlgorithm=ALGORITHM)
    return bytes(signed["Signature"])


def test_a_signature_is_one_of_the_public_key_and_the_same_in_each_life(tmp_path: Path) -> None:
    lives = []
    for number in range(2):
        with world(tmp_path / str(number)) as aws:
            key, public = key_pair(aws)
            other = key_pair(aws)[1]
            lives.append((public, other, sign(aws, key, b"text")))
    assert lives[0] == lives[1]
    public, other, signature = lives[0]
    assert public != other
    loaded = serialization.load_der_public_key(public)
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    loaded.verify(signature, b"text", ec.ECDSA(hashes.SHA256()))


def test_what_was_not_signed_is_refused_and_not_answered_with_no(tmp_path: Path) -> None:
    with world(tmp_path) as aws:
        key, _ = key_pair(aws)
        asked = {"KeyId": key, "SigningAlgorithm": ALGORITHM, "Signature": sign(aws, key, b"text")}
        kms = aws.account.client("kms")
        assert kms.verify(Message=b"text", **asked)["SignatureValid"] is True
        with pytest.raises(ClientError, match="KMSInvalidSignatureException"):
            kms.verify(Message=b"another", **asked)
