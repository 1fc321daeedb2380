"""What `make science` installs; a test that needs it says so where it is not there."""

from __future__ import annotations

import pytest

from config.schema import ROOT

BIN = ROOT / "build" / "science" / "bin"

needs_science = pytest.mark.skipif(
    not (BIN / "mlflow").exists(), reason="MLflow and DVC are not installed: `make science`, then `make test`"
)
