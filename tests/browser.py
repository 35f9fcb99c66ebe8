"""Headless Chromium for tests, if it is installed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPTIONS = (
    "--headless",
    "--no-sandbox",  # Chromium's sandbox refuses to run as root, as in most containers
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
)


def missing_requirement() -> str:
    """Return why no browser can be started, or ""."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        return "chromium and chromedriver are not installed (Debian: chromium, chromium-driver)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (dependency group dev)"
    return ""


@contextlib.contextmanager
def chromium(profile: Path, *options: str) -> Iterator[Any]:
    """Start Chromium with an empty profile, and record its console."""
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
