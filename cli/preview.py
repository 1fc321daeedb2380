"""`./tideline preview`: the dashboard that a rehearsal deployed, as a page and, with a Chromium, as pictures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from cli.source import CommandError

PAGE = "dashboard.html"
WIDTHS_PX = (1280, 1920)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_SECONDS = 60


def find_page(rehearsal: Path) -> Path:
    """Raises CommandError where no rehearsal left one."""
    page = rehearsal / PAGE
    if not page.exists():
        raise CommandError(
            f"{page} is not there; `make rehearse` writes it at its end (any scenario, or your own table)"
        )
    return page


def find_browser() -> str | None:
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def sandbox() -> list[str]:
    """Chromium's refuses the super-user; the pages are our own and have no script."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def pictures(page: Path, browser: str) -> list[Path]:
    """The whole page at each width, beside it. Raises CommandError with what the browser said."""
    height = re.search(r'data-height="(\d+)"', page.read_text())
    assert height is not None, f"{page} was not written by this version"
    return [_picture(page, browser, width, int(height[1])) for width in WIDTHS_PX]


def _picture(page: Path, browser: str, width: int, height: int) -> Path:
    picture = page.with_name(f"{page.stem}-{width}.png").resolve()
    picture.unlink(missing_ok=True)
    told = subprocess.run(
        [
            browser,
            "--headless=new",
            "--disable-gpu",
            "--hide-scrollbars",
            *sandbox(),
            f"--window-size={width},{height}",
            f"--screenshot={picture}",
            page.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if not picture.exists():
        raise CommandError(f"{browser} made no picture: {told.stderr.strip()[-300:]}")
    return picture
