"""The manifest of an artefact: what it is made of and where it comes from, as the one text that is signed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.archive import Digest

FORMAT = "tideline-manifest=1"
SIGNING_ALGORITHM = "ECDSA_SHA_256"
VALUE_LIMIT = 256
"""The longest value of a package's metadata."""
PARTS = tuple(f"Manifest{number}" for number in (1, 2, 3, 4))
"""The metadata of a package that, joined by spaces, are the manifest; what is not needed is `-`."""
SIGNATURE = "Signature"
NOTHING = "-"
UNKNOWN = "unknown"
GRAPH, SCHEMA = "model.onnx", "schema.json"
MODEL_FILES = (GRAPH, SCHEMA)
"""What a model's archive holds, and nothing else."""
SHA256 = re.compile(r"[0-9a-f]{64}")
WORD = re.compile(r"[\w.:/@+-]+", re.ASCII)
"""What a value may be: characters that the metadata of a package take, and no space, comma or equals sign."""
OF_RUN = ("run", "snapshot", "content", "commit", "image")
OF_CONTENT = ("archive", "report", "plan")


class ManifestError(ValueError):
    """A text that is no manifest of ours."""


@dataclass(frozen=True)
class Manifest:
    """`image` is sha256:..., `archive` the .tar.gz as a whole, `files` what is in it."""

    run: str
    snapshot: str
    content: str
    commit: str
    image: str
    archive: Digest
    report: Digest
    plan: Digest
    files: Mapping[str, Digest] = field(default_factory=dict)

    def to_text(self) -> str:
        """One line of `name=value`; the same manifest is the same text. Raises ManifestError for what does not fit."""
        values = {name: getattr(self, name) for name in OF_RUN}
        values |= {name: getattr(self, name).text() for name in OF_CONTENT}
        values |= {name: self.files[name].text() for name in sorted(self.files)}
        for name, value in values.items():
            if not WORD.fullmatch(value):
                raise ManifestError(
                    f"a manifest cannot hold {name} = {value[:100]!r}; allowed: one plain word"
                )
        return " ".join([FORMAT, *(f"{name}={value}" for name, value in values.items())])

    @classmethod
    def from_text(cls, text: str) -> Manifest:
        """Raises ManifestError unless `to_text` would write this very text again."""
        words = text.split(" ")
        given = dict(word.partition("=")[::2] for word in words[1:])
        if words[0] != FORMAT or not given.keys() >= {*OF_RUN, *OF_CONTENT}:
            raise ManifestError(f"got {text[:100]!r}; allowed: {FORMAT} and what it names")
        run, snapshot, content, commit, image = (given[name] for name in OF_RUN)
        archive, report, plan = (_digest(given[name]) for name in OF_CONTENT)
        files = {n: _digest(v) for n, v in given.items() if n not in (*OF_RUN, *OF_CONTENT)}
        found = cls(run, snapshot, content, commit, image, archive, report, plan, files)
        if found.to_text() != text:
            raise ManifestError(f"got {text[:100]!r}; allowed: each name once and in order")
        return found


def _digest(text: str) -> Digest:
    sha256, _, size = text.partition(":")
    if not SHA256.fullmatch(sha256) or not size.isdecimal():
        raise ManifestError(
            f"got the digest {text[:100]!r}; allowed: 64 hexadecimal digits, a colon, the size"
        )
    return Digest(sha256, int(size))


def to_parts(text: str) -> dict[str, str]:
    """A manifest's text as metadata of a package: whole words, as many as fit a value.

    >>> list(to_parts("a=1 b=2").values())
    ['a=1 b=2', '-', '-', '-']
    """
    parts = [""]
    for word in text.split(" "):
        longer = f"{parts[-1]} {word}".strip()
        if len(longer) <= VALUE_LIMIT:
            parts[-1] = longer
        else:
            parts.append(word)
    if len(parts) > len(PARTS) or max(map(len, parts)) > VALUE_LIMIT:
        raise ManifestError(
            f"the manifest has {len(text)} characters; allowed: {len(PARTS)} of {VALUE_LIMIT}"
        )
    return dict(zip(PARTS, [*parts, *[NOTHING] * (len(PARTS) - len(parts))], strict=True))


PROOF_VARIABLES = ("TIDELINE_MANIFEST", "TIDELINE_SIGNATURE", "TIDELINE_PUBLIC_KEY")
"""The three of a proof in the environment of the server."""


@dataclass(frozen=True)
class Proof:
    """A manifest's text, its signature and the public key that it is checked with, both base64 of DER."""

    manifest: str
    signature: str
    public_key: str

    def to_parameter(self) -> str:
        """The value of Serving's parameter, a list of three."""
        return ",".join((self.manifest, self.signature, self.public_key))


NO_PROOF = Proof(NOTHING, NOTHING, NOTHING)
"""Of what was released before anything was signed."""


def signed_part(properties: Mapping[str, str]) -> tuple[str, str] | None:
    """The manifest's text and its signature out of a package's metadata; None if either is not there."""
    text = " ".join(properties[part] for part in PARTS if properties.get(part, NOTHING) != NOTHING)
    signature = properties.get(SIGNATURE, "")
    return (text, signature) if text and signature else None
