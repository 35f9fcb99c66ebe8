"""A real browser for the tests: Chromium without a screen, where it is installed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPTIONS = (
    "--headless",
    "--no-sandbox",  # which root can't have, and who runs tests in a container is root
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
)


def reason_for_none() -> str:
    """Return why no browser can be used here, or nothing."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        return "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (in the dependency group dev)"
    return ""


@contextlib.contextmanager
def chromium(profile: Path, *options: str) -> Iterator[Any]:
    """Start it with an empty profile, without network; its console is kept."""
    from selenium import webdriver

    settings = webdriver.ChromeOptions()
    settings.binary_location = str(shutil.which("chromium"))
    for option in (*OPTIONS, f"--user-data-dir={profile}", *options):
        settings.add_argument(option)
    settings.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=settings, service=service)
    try:
        yield driver
    finally:
        driver.quit()
