"""The pages in a real browser, light and dark, by axe-core; and a newcomer's way from clone to report."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.process import ROOT, run
from benchmarks.results import Claim
from cli.preview import BROWSERS, find_browser, sandbox

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RESULT = "found-by-axe"
RUNS = f"""axe.run(document, {{resultTypes: ['violations']}}).then(found => {{
  const shown = document.createElement('pre');
  shown.id = '{RESULT}';
  shown.textContent = JSON.stringify(found.violations.map(one => [one.id, one.help, one.nodes.length]));
  document.body.appendChild(shown);
}})"""
SCHEMES = {"light": "1", "dark": "0"}
"""Chromium's own numbers for the colours that a page is asked for."""
LIMIT_MINUTES = 10
COMMANDS = 2
"""git clone, make rehearse."""


def measure() -> list[Claim]:
    browser = find_browser()
    if browser is None:
        raise SystemExit(f"no browser: install one of {', '.join(BROWSERS)}")
    if run(["make", "node_modules/.ready"]).exit_code:
        raise SystemExit("`make node_modules/.ready` failed; run it to see why")
    with tempfile.TemporaryDirectory() as directory:
        clone, home = Path(directory, "clone"), Path(directory, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        usage = run(["make", "-C", str(clone), "rehearse"], {"HOME": str(home)})
        if usage.exit_code:
            raise SystemExit("`make rehearse` in a fresh clone failed; run it to see where")
        left = clone / "build" / "rehearsal"
        pages = sorted([*left.glob("*.html"), *left.glob("evaluations/*.html")])
        violations = sum(len(_violations(browser, page, scheme)) for page in pages for scheme in SCHEMES)
    minutes = round(usage.seconds / 60, 1)
    return [
        Claim(
            f"axe-core finds nothing on {len(pages)} pages of a rehearsal, light and dark",
            violations,
            0,
            "limit",
            "violations",
        ),
        Claim("from an empty home to the report, set-up included", minutes, LIMIT_MINUTES, "limit", "min"),
        Claim("commands from nothing to the report", COMMANDS, 2, "limit", "commands"),
    ]


def _violations(browser: str, page: Path, scheme: str) -> list[list[object]]:
    """[rule, what it asks, how often] for each rule that the page breaks."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / page.name
        script = f"<script>{AXE.read_text()}</script><script>{RUNS}</script></body>"
        copy.write_text(page.read_text().replace("</body>", script))
        told = subprocess.run(
            [
                browser,
                "--headless=new",
                "--disable-gpu",
                *sandbox(),
                f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
                "--virtual-time-budget=20000",
                "--dump-dom",
                copy.as_uri(),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(f'<pre id="{RESULT}">(.*?)</pre>', told.stdout, re.DOTALL)
    if found is None:
        raise SystemExit(f"axe-core said nothing of {page.name}")
    broken: list[list[object]] = json.loads(html.unescape(found[1]))
    for one in broken:
        print(f"{page.name}, {scheme}: {one}")
    return broken
