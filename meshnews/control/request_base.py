"""What all requests have in common."""

import msgspec


class RequestBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    """Root of the requests.  Contents stay out of `repr`: some are secrets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    @property
    def descriptors(self) -> int:
        """How many open files travel beside this request."""
        return 0

    @property
    def is_undone_when_stopped(self) -> bool:
        """Whether nothing is left of it when its asker stops it, who is then told so."""
        return False
