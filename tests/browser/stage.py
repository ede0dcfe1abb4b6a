"""The stage of the browser's tests and of the screenshots: a stand-in for LaunchDarkly, the connector, a Chromium.

Everything is a process of its own, as in real life, and ends with the block that started it.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from connector.signatures import STANDARD_WEBHOOKS
from tests.browser.processes import DEADLINE, free_ports, process

CHROMIUM, DRIVER = "chromium", "chromedriver"
ADMIN_TOKEN = "the-admin-token-of-the-browser-tests"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)


def missing() -> str | None:
    """What the browser's tests lack on this machine, as a sentence."""
    lacking = [name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None]
    if not lacking:
        return None
    return f"There is no {' and no '.join(lacking)} here; on Debian: apt install chromium chromium-driver"


@dataclass
class Stage:
    """What a test meets: the connector at `url`, its LaunchDarkly at `sandbox`, and the browser."""

    url: str
    sandbox: str
    environment: Mapping[str, str]
    browser: webdriver.Chrome

    def connector(self, *arguments: str, stdin: str = "") -> str:
        """Run `connector …` beside the server, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "connector", *arguments],
            env=dict(self.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def api(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One call of the management API."""
        answer = requests.post(
            f"{self.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            timeout=DEADLINE,
        )
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def send(self, url: str, secret: str, type_: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """One webhook of a partner that speaks the native protocol; the answer."""
        body = json.dumps({"type": type_, "data": data}).encode()
        headers = STANDARD_WEBHOOKS.sign(body, secret, f"msg_{os.urandom(8).hex()}", time.time())
        answer = requests.post(
            url, data=body, headers={**headers, "Content-Type": "application/json"}, timeout=DEADLINE
        )
        assert answer.status_code < 300, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def metrics(self, project: str = "demo") -> dict[str, Any]:
        """What stands in LaunchDarkly."""
        found = requests.get(f"{self.sandbox}/sandbox/metrics/{project}", timeout=DEADLINE).json()
        return {metric["key"]: metric for metric in found}

    def open(self, path: str) -> None:
        self.browser.get(path if path.startswith("http") else self.url + path)

    def sign_in(self) -> None:
        """Sign in to the console, where that is still to be done."""
        self.open("/console/")
        if "/sign-in" in self.browser.current_url:
            self.fill("token", ADMIN_TOKEN)
            self.press("Sign in")

    def find(self, css: str) -> WebElement:
        return WebDriverWait(self.browser, DEADLINE).until(lambda browser: browser.find_element(By.CSS_SELECTOR, css))

    def fill(self, name: str, value: str) -> None:
        """Enter a value into the field of that name, as a person would."""
        element = self.find(f"main [name='{name}']")
        if element.tag_name == "select":
            Select(element).select_by_value(value)
            return
        if element.get_attribute("type") != "file":
            element.clear()
        element.send_keys(value)

    def reveal(self, summary: str) -> None:
        """Open what is folded under that heading."""
        folded = self.browser.find_element(By.XPATH, f"//summary[normalize-space()='{summary}']")
        if folded.find_element(By.XPATH, "..").get_attribute("open") is None:
            folded.click()

    def press(self, text: str) -> None:
        """Press the button or link of that text, and wait for the page that follows."""
        element = self.browser.find_element(
            By.XPATH, f"//*[self::button or self::a][starts-with(normalize-space(),'{text}')]"
        )
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        WebDriverWait(self.browser, DEADLINE).until(lambda _: _gone(element))
        self.loaded()

    def loaded(self) -> None:
        WebDriverWait(self.browser, DEADLINE).until(
            lambda browser: browser.execute_script("return document.readyState") == "complete"
        )

    def sees(self, text: str, *, again: bool = False) -> None:
        """Wait until the page shows `text`; with `again`, by loading it as often as it takes."""

        def shown(browser: webdriver.Chrome) -> bool:
            if text in browser.find_element(By.TAG_NAME, "body").text:
                return True
            if again:
                browser.refresh()
            return False

        patient = WebDriverWait(self.browser, DEADLINE, ignored_exceptions=[WebDriverException])
        patient.until(shown, f"{text!r} is not on {self.browser.current_url}")

    def complaints(self) -> list[str]:
        """What Chromium's console complains of since the last call; a page that says no on purpose is none."""
        return [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if entry["level"] in {"SEVERE", "WARNING"}
            and not (entry["source"] == "network" and "the server responded with a status of 4" in entry["message"])
        ]

    def barriers(self) -> list[str]:
        """What axe finds on the page that is serious or critical for people with disabilities."""
        if not self.browser.execute_script("return typeof window.axe === 'object'"):
            self.browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
            self.browser.execute_script(_axe())
        found = self.browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(result => done(result.violations))"
        )
        return [
            f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]


def _gone(element: WebElement) -> bool:
    """Whether its page is left. Between two pages Chromium says so by errors of more than one kind."""
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False


def _axe() -> str:
    """axe-core, from the package that brings it; its Python part is not used."""
    return importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@contextmanager
def stage(host: str = "127.0.0.1", **settings: str) -> Iterator[Stage]:
    """Start everything, and end it again. `host` is what the browser calls the connector by."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}
    with tempfile.TemporaryDirectory(prefix="connector-browser-") as directory:
        port, other = free_ports(2)
        url, sandbox = f"http://{host}:{port}", f"http://127.0.0.1:{other}"
        environment = kept | {
            "CONNECTOR_DATABASE_URL": f"sqlite:///{directory}/connector.db",
            "CONNECTOR_ADMIN_TOKEN": ADMIN_TOKEN,
            "CONNECTOR_BASE_URL": url,
            "CONNECTOR_TITLE": "Example Analytics",
            "CONNECTOR_RESPOND_WITHIN": "30",
            "CONNECTOR_CACHE_SECONDS": "0",
            "CONNECTOR_THREADS": "8",
            **settings,
        }
        keys = ("--api-key", "api-demo", "--reader-key", "api-reader", "--global-limit", "2000")
        projects = ("--project", "demo", "--project", "web-shop")
        served = ("serve", "--bind", f"127.0.0.1:{port}")
        with (
            process(
                kept, f"{sandbox}/sandbox/", "sandbox", "--port", sandbox.rpartition(":")[2], *projects, *keys
            ) as _,
            process(environment, f"{url}/readyz", *served) as _,
            _chromium(Path(directory)) as browser,
        ):
            yield Stage(url, sandbox, environment, browser)


@contextmanager
def _chromium(directory: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which(CHROMIUM) or CHROMIUM
    for flag in (*_FLAGS, f"--user-data-dir={directory / 'chromium'}", "--window-size=1280,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(shutil.which(DRIVER)))
    try:
        browser.set_page_load_timeout(DEADLINE)
        browser.set_script_timeout(DEADLINE)
        yield browser
    finally:
        browser.quit()
