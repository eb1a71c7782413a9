"""What holds for all tests in a browser."""

from browser.chromium import shared_browser
from browser.firefox import shared_firefox

__all__ = ["shared_browser", "shared_firefox"]
