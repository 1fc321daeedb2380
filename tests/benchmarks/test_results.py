"""The page of measured claims."""

from __future__ import annotations

from benchmarks.results import HERE, render


def test_the_page_shows_every_result_that_is_kept() -> None:
    assert (HERE / "RESULTS.md").read_text() == render(), (
        "write it anew: python -c \"from benchmarks.results import *; (HERE / 'RESULTS.md').write_text(render())\""
    )
