"""What test_conformance runs with every rule on: config/, one that brings all it can and is a batch, the delivery."""

import json
import sys
from pathlib import Path

from config.schema import ROOT
from tests.stacks.delivery_synthesis import delivery
from tests.stacks.synthesis import BROUGHT, DEV, NIGHTLY, PROD


def main(outdir: Path) -> None:
    from stacks.app import build
    from stacks.conformance import add_rules

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    brought = BROUGHT.model_copy(update={"serving": NIGHTLY.serving})
    app = build([DEV, PROD, brought], delivery=delivery(), outdir=outdir, context=context)
    add_rules(app)
    app.synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
