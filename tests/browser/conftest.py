"""What holds for all tests in a browser."""

from browser.chromium import shared_browser

__all__ = ["shared_browser"]
