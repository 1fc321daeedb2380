"""What every schema of the configuration is made of: a part, and the texts that mean the same everywhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def on_or_off(value: object) -> object:
    """YAML 1.1 reads a bare `on` or `off` as a boolean; give the word back."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def _not_reserved(name: str) -> str:
    """SSM refuses parameters whose path begins so."""
    if name.startswith(("aws", "ssm")):
        raise ValueError("a name may not begin with 'aws' or 'ssm', which SSM keeps for itself")
    return name


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Name = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", min_length=3, max_length=20),
    AfterValidator(_not_reserved),
]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
BoundaryArn = Annotated[str, Field(pattern=r"^arn:[\w-]+:iam::(\d{12}|aws):policy/.+$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
