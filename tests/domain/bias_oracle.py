"""Writes bias_oracle.json: what `smclarify` 0.5, Amazon's own library, says of seeded tables. Not run by the tests.

The library is under the Amazon Software License, had its last release in 2023 and wants pyarrow and s3fs, so that it is
no locked requirement. To record anew: in an environment with smclarify==0.5 and pandas,
`python -m tests.domain.bias_oracle > tests/domain/bias_oracle.json`.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from typing import Any

PRE = ("CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL")
POST = ("DPPL", "DI", "DCA", "DCR", "RD", "DAR", "DRR", "AD", "TE", "CDDPL")
TABLES = 40


def table(seed: int) -> list[tuple[str, bool, bool, bool]]:
    """Rows of (group, in the facet, label, answer): small ones now and then leave a cell empty."""
    draw = random.Random(seed)
    facet, label, agrees = (draw.uniform(0.05, 0.95) for _ in range(3))
    found = []
    for _ in range(draw.choice((6, 12, 40, 400))):
        truth = draw.random() < label
        found.append(
            (draw.choice("xyz"), draw.random() < facet, truth, truth if draw.random() < agrees else not truth)
        )
    return found


def asked(rows: list[tuple[str, bool, bool, bool]]) -> dict[str, Any]:
    """Metric -> value; text for what is no number: the library's own refusal, or inf."""
    import pandas as pd
    from smclarify.bias import metrics

    frame = pd.DataFrame(rows, columns=["group", "facet", "label", "said"])
    frame = frame.astype({"facet": bool, "label": bool, "said": bool})
    given = {
        "feature": frame["group"],
        "sensitive_facet_index": frame["facet"],
        "positive_label_index": frame["label"],
        "positive_predicted_label_index": frame["said"],
        "group_variable": frame["group"],
    }
    found: dict[str, Any] = {}
    for kind, names, label in ((metrics.pretraining, PRE, "label"), (metrics.posttraining, POST, "said")):
        for name in names:
            try:
                value = float(
                    metrics.call_metric(
                        getattr(kind, name), **given, label=frame[label], labels=frame["label"]
                    )
                )
                found[name] = value if abs(value) != float("inf") else "inf"
            except (ValueError, ZeroDivisionError) as error:
                found[name] = f"refused: {error}"
    return found


def main() -> None:
    recorded = []
    for seed in range(TABLES):
        rows = table(seed)
        counts = sorted(Counter(rows).items())
        recorded.append({"seed": seed, "counts": [[*cell, n] for cell, n in counts], "metrics": asked(rows)})
    json.dump({"library": "smclarify 0.5", "tables": recorded}, sys.stdout, indent=None)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
