"""What all replies and events have in common."""

import msgspec


class ReplyBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="is"):
    """Root of the replies and events.  Contents stay out of `repr`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"
