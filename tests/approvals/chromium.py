"""Headless Chromium through its own driver, over the WebDriver protocol: a few requests, so no library for it."""

import base64
import os
import re
import shutil
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)
PATIENCE = 60.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def needed() -> None:
    """Skips where Chromium or its driver is missing; fails there when REQUIRE_CHROMIUM is set, as in CI."""
    if CHROMIUM and DRIVER:
        return
    why = "needs Chromium and its driver; on Debian: apt-get install chromium chromium-driver"
    if os.environ.get("REQUIRE_CHROMIUM"):
        pytest.fail(why)
    pytest.skip(why)


@dataclass
class Chromium:
    """One browser window."""

    http: httpx.AsyncClient
    session: str

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = await self.http.request(method, f"/session/{self.session}{path}", json=body)
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value

    async def go(self, url: str) -> None:
        await self._ask("POST", "/url", {"url": url})

    async def find(self, selector: str) -> str:
        """The element a CSS selector means."""
        return str((await self._ask("POST", "/element", {"using": "css selector", "value": selector}))[_ELEMENT])

    async def text(self, selector: str = "body") -> str:
        return str(await self._ask("GET", f"/element/{await self.find(selector)}/text"))

    async def shows(self, selector: str, text: str) -> None:
        """Returns once that element has this text: a click does not wait for the page it leads to."""
        seen = ""
        with anyio.move_on_after(PATIENCE):
            while text not in seen:
                await anyio.sleep(0.02)
                with suppress(AssertionError):  # the element is not there yet, or went with the page before
                    seen = await self.text(selector)
        assert text in seen

    async def type(self, selector: str, text: str) -> None:
        await self._ask("POST", f"/element/{await self.find(selector)}/value", {"text": text})

    async def click(self, selector: str) -> None:
        await self._ask("POST", f"/element/{await self.find(selector)}/click", {})

    async def press(self, key: str) -> None:
        """Presses one key, wherever the focus is."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        await self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    async def title(self) -> str:
        return str(await self._ask("GET", "/title"))

    async def run(self, script: str) -> Any:
        """The value of a script run from outside the page."""
        return await self._ask("POST", "/execute/sync", {"script": script, "args": []})

    async def cdp(self, command: str, **parameters: Any) -> Any:
        """A command of Chromium's own protocol."""
        return await self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    async def scripts(self, *, on: bool) -> None:
        """Switches the page's JavaScript on or off, as a user may."""
        await self.cdp("Emulation.setScriptExecutionDisabled", value=not on)

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Shows the page as on a screen of this size."""
        await self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.cdp("Emulation.setEmulatedMedia", media="", features=[scheme])

    async def picture(self, path: Path) -> None:
        """A picture of the whole page."""
        shot = await self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def log(self) -> list[str]:
        """What the console has complained about since it was last asked."""
        return [entry["message"] for entry in await self._ask("POST", "/se/log", {"type": "browser"})]

    async def accessible(self) -> list[tuple[str, str]]:
        """Role and name of what a screen reader finds, in reading order."""
        await self.cdp("Accessibility.enable")
        nodes = (await self.cdp("Accessibility.getFullAXTree"))["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]


@dataclass(frozen=True)
class Browser:
    """A running browser: where its driver listens, and its session."""

    address: str
    session: str

    @asynccontextmanager
    async def window(self) -> AsyncGenerator[Chromium]:
        """Its window, as fresh as it comes: an empty page on a large light screen, with JavaScript."""
        async with httpx.AsyncClient(base_url=self.address, trust_env=False, timeout=PATIENCE) as http:
            window = Chromium(http, self.session)
            await window.scripts(on=True)
            await window.go("about:blank")
            await window.size(1280, 900)
            await window.log()
            yield window


@contextmanager
def running(directory: Path) -> Generator[Browser]:
    """A fresh browser, ended in the end."""
    assert CHROMIUM
    assert DRIVER
    # Not TMPDIR as well: Chromium puts a socket there, whose path may only be 107 characters long.
    environment = {**os.environ, "HOME": str(directory)}
    with subprocess.Popen(
        [DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as driver:
        try:
            address = f"http://127.0.0.1:{_port(driver)}"
            with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE) as http:
                options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={directory / 'profile'}"]}
                wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
                made = http.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
                assert made.status_code == 200, made.text
                session = made.json()["value"]["sessionId"]
                try:
                    yield Browser(address, session)
                finally:
                    http.delete(f"/session/{session}")
        finally:
            driver.terminate()


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        found = re.search(r"started successfully on port (\d+)", line)
        if found is not None:
            return int(found.group(1))
    raise AssertionError("the driver did not start")
