"""Chromium, driven over WebDriver: the few calls that looking at a page takes. https://www.w3.org/TR/webdriver2/."""

import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import trio

HANG_S = 30
DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, where Chromium's own needs it
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)


@contextmanager
def chromium(folder):
    """Run one browser until the block ends; yield the URL of its session."""
    with subprocess.Popen(
        [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as driver:
        try:
            words = " on port "
            line = next(line for line in driver.stdout if "successfully" in line and words in line)
            port = int(line.rpartition(words)[2].strip(" .\n"))
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": {
                    "binary": CHROMIUM,
                    "args": [*ARGUMENTS, f"--user-data-dir={folder}"],
                },
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            base = f"http://127.0.0.1:{port}/session"
            with httpx.Client(timeout=HANG_S, trust_env=False) as http:
                asked = {"capabilities": {"alwaysMatch": wanted}}
                answer = http.post(base, json=asked).raise_for_status().json()
                session = f"{base}/{answer['value']['sessionId']}"
                try:
                    yield session
                finally:
                    http.delete(session)
        finally:
            driver.terminate()


@dataclass(frozen=True, slots=True)
class Tab:
    """What a test does with the page in front of it."""

    http: httpx.AsyncClient
    session: str

    async def _post(self, path: str, **asked: Any) -> Any:
        answer = await self.http.post(f"{self.session}/{path}", json=asked)
        value = answer.json()["value"]
        assert 200 == answer.status_code, value
        return value

    async def open(self, url: str) -> None:
        await self._post("url", url=url)

    async def run(self, script: str, *args: Any) -> Any:
        """Return what the script returns."""
        return await self._post("execute/sync", script=script, args=list(args))

    async def text(self, selector: str) -> str | None:
        return await self.run(
            "return document.querySelector(arguments[0])?.textContent.trim()", selector
        )

    async def wait_for(self, script: str, *args: Any) -> Any:
        """Wait until a script returns something true; return it."""
        with trio.fail_after(HANG_S):
            while not (found := await self.run(script, *args)):  # noqa: ASYNC110 - another process's state has no event here
                await trio.sleep(0.05)
        return found

    async def wait_text(self, selector: str, words: str) -> None:
        await self.wait_for(
            "return document.querySelector(arguments[0])?.textContent.includes(arguments[1])",
            selector,
            words,
        )

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self._post("actions", actions=[{"type": "key", "id": "keys", "actions": strokes}])

    async def tell_browser(self, command: str, **params: Any) -> Any:
        """Send a command of the Chrome DevTools Protocol."""
        return await self._post("goog/cdp/execute", cmd=command, params=params)

    async def complaints(self) -> list[str]:
        """Return what the browser's console heard since it was last asked: errors, and what the page's policy refused."""
        found = await self._post("se/log", type="browser")
        return [each["message"] for each in found if each["level"] in {"SEVERE", "WARNING"}]
