"""A model so small that only the contract of the container is left: train, serve, process."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ML = Path(os.environ.get("SM_BASE_DIR", "/opt/ml"))


def train() -> None:
    config = ML / "input/config"
    settings = json.loads((config / "hyperparameters.json").read_text())
    time.sleep(float(settings.get("sleep", 0)))
    if "fail" in settings:
        (ML / "output/failure").write_text(settings["fail"])
        sys.exit(3)
    rows = [float(line) for file in sorted((ML / "input/data/train").rglob("*.csv")) for line in file.open()]
    (ML / "model/weight").write_text(str(sum(rows) / len(rows)))
    (ML / "model/seen.json").write_text(json.dumps(seen()))
    (ML / "output/data/rows").write_text(str(len(rows)))
    print("validation:score=0.25;")
    print(f"validation:score={settings.get('score', '0.75')};")


def seen() -> dict[str, object]:
    """What a container can see of the world, for the tests."""
    return {
        "environment": dict(os.environ),
        "hyperparameters": json.loads((ML / "input/config/hyperparameters.json").read_text()),
        "channels": json.loads((ML / "input/config/inputdataconfig.json").read_text()),
        "resources": json.loads((ML / "input/config/resourceconfig.json").read_text()),
        "now": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "working directory": os.getcwd(),
    }


def process() -> None:
    base = ML / "processing"
    names = sorted(file.relative_to(base / "input").as_posix() for file in (base / "input").rglob("*.csv"))
    arn = json.loads((ML / "config/processingjobconfig.json").read_text())["ProcessingJobArn"]
    report = {"names": names, "arn": arn, "score": float(os.environ.get("SCORE", "0.9"))}
    (base / "output/report.json").write_text(json.dumps(report))
    (ML / "output/message").write_text(f"{len(names)} files")
    sys.exit(int(os.environ.get("EXIT", "0")))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet

    def do_GET(self) -> None:
        self.answer(500 if "UNHEALTHY" in os.environ else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(os.environ.get("SLOW", "0")))
        if "PRINT" in os.environ:
            print(os.environ["PRINT"], flush=True)
        if body == b"boom" or "FAIL" in os.environ:
            self.answer(500, b"it broke")
        elif "ANSWER" in os.environ:
            self.answer(200, os.environ["ANSWER"].encode())
        elif body == b"bye":
            self.close_connection = True  # and does not say so
            self.answer(200, body)
        elif self.headers["Content-Type"] == "application/x-npy":
            self.answer(200, body)
        elif self.headers["Content-Type"] != "text/csv":
            self.answer(415, b"text/csv only")
        else:
            weight = float((ML / "model/weight").read_text())
            self.answer(200, str(float(body) * weight).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("Accept", "text/csv"))
        self.send_header("Content-Length", str(len(body)))
        attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if attributes:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"got {attributes}")
        self.end_headers()
        self.wfile.write(body)


def serve() -> None:
    if "DIE" in os.environ:
        sys.exit("no model for me")
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    {"train": train, "process": process, "serve": serve}[sys.argv[1]]()
