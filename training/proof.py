"""Is the model that lies here the one that was signed? Asked once, before the server takes its port."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from domain.archive import Digest
from domain.manifest import MODEL_FILES, NOTHING, PROOF_VARIABLES, Manifest, ManifestError
from training.errors import Refused


def require(directory: Path, environment: Mapping[str, str]) -> Manifest | None:
    """The manifest of the model in `directory`; None if no release names one: run by hand, or released before signing.

    Raises Refused if the signature is not that of the public key, or a file is not the one that was signed.
    """
    given = [environment.get(name, NOTHING) for name in PROOF_VARIABLES]
    if all(value == NOTHING for value in given):
        return None
    text, signature, public_key = given
    if not _is_genuine(text, signature, public_key):
        raise Refused(f"{PROOF_VARIABLES[1]} is no signature of the model's manifest; nothing is served")
    try:
        manifest = Manifest.from_text(text)
    except ManifestError as error:
        raise Refused(f"the model's manifest cannot be read: {error}; nothing is served") from error
    for name in MODEL_FILES:
        signed = manifest.files.get(name)
        with (directory / name).open("rb") as stream:
            found = Digest.of_stream(stream)
        if found != signed:
            raise Refused(
                f"{name} is {found.text()}, signed is {signed and signed.text()}: it was changed; nothing is served"
            )
    return manifest


def _is_genuine(text: str, signature: str, public_key: str) -> bool:
    try:
        key = serialization.load_der_public_key(base64.b64decode(public_key, validate=True))
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(base64.b64decode(signature, validate=True), text.encode(), ec.ECDSA(hashes.SHA256()))
    except (binascii.Error, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
