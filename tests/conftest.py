"""What every test stands on."""

from hypothesis import settings

# A shared machine stalls now and then; a deadline would make that a failure.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
