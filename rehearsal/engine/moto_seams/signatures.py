"""Private touches on moto's KMS: signatures that are the same in each life, and real; a wrong one is an error."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from moto.core.exceptions import JsonRESTError
from moto.kms.models import KmsBackend
from moto.kms.utils import ECDSAPrivateKey

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def install(account: Account) -> None:
    """The n-th key pair of a life is always the same one, and its signatures are those of RFC 6979.

    A library draws both at random, and the journal of the same life would differ.
    """
    made: list[None] = []

    def __init__(key: ECDSAPrivateKey, key_spec: str) -> None:
        draw(key, key_spec)
        if isinstance(key.private_key.curve, ec.SECP256R1):
            made.append(None)
            digest = hashlib.sha256(f"{account.id} {len(made)}".encode()).digest()
            number = int.from_bytes(digest) >> 1  # below the order of the curve
            key.private_key = ec.derive_private_key(number, ec.SECP256R1())

    def sign(key: ECDSAPrivateKey, message: bytes, signing_algorithm: str) -> bytes:
        if signing_algorithm != "ECDSA_SHA_256":
            signature: bytes = drawn(key, message, signing_algorithm)
            return signature
        return key.private_key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def verify(backend: KmsBackend, *given: Any, **named: Any) -> Any:
        """AWS never answers that a signature is not valid: it refuses the request."""
        answer = verified(backend, *given, **named)
        if not answer[1]:
            raise JsonRESTError("KMSInvalidSignatureException", "The signature is not valid.")
        return answer

    draw = replace(account, ECDSAPrivateKey, "__init__", __init__)
    drawn = replace(account, ECDSAPrivateKey, "sign", sign)
    verified = replace(account, KmsBackend, "verify", verify)
