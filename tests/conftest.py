"""What holds for all tests."""

from hypothesis import settings

# A deadline for each example is wall-clock time, which a loaded machine exceeds.
settings.register_profile("without deadlines", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("without deadlines")
