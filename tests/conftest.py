"""What holds for all tests."""

import signal

from hypothesis import settings

# A shell has what it starts in the background ignore Ctrl-C, and so would the commands that are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline for each example is wall-clock time, which a loaded machine exceeds.
settings.register_profile("without deadlines", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("without deadlines")
