"""Every number that somebody who belongs to a desk, or wants to, could influence.

As in `meshnews.limits`, each stands with its reason; what any stranger could influence is there.
"""

from typing import Final

NAME_CHARS_MAX: Final = 64
"""A byline, the name of a relay or of a desk."""

TIME_S_MAX: Final = (1 << 34) - 1
"""Latest second since 1970 a desk may write (the year 2514)."""

EDITORS_MAX: Final = 8
"""Editors of one desk: the stanzas of a large bundle."""

ROOTS_MAX: Final = 8
"""Root keys of one desk; each costs a holder of the manifest one verification."""

FORMER_KEYS_MAX: Final = 4
"""Replaced keys of one machine that still count: so many recalls within one overlap."""

MANIFEST_BYTES_MAX: Final = 60 * 1024
BULLETIN_BYTES_MAX: Final = 60 * 1024
"""Fit a notice in the largest bundle."""

DECODED_REMEMBERED_MAX: Final = 8
"""Bulletins, and requests, of which it is remembered what they say: one that comes is read a
dozen times, and each may name hundreds of keys.  They take a megabyte at most."""

RELAYS_MAX: Final = 256
RECALLED_MAX: Final = 1024
ISSUERS_MAX: Final = 32
"""What one bulletin or manifest names."""

ENDPOINTS_MAX: Final = 64
ENDPOINT_PORTS_MAX: Final = 8
HOST_CHARS_MAX: Final = 253
"""Addresses in one bulletin; a host is a DNS name or a numeric address."""

SERVER_NAME_CHARS_MAX: Final = 64
"""The name that is asked for inside TLS: longer ones do not look ordinary."""

MEMBERS_MAX: Final = 1024
MEMBER_BYTES_MAX: Final = 8 * 1024
"""Reporters of one desk, and what an editor is told of each."""

ROOT_KEY_BYTES_MAX: Final = 512
RECALL_BYTES_MAX: Final = 2048
NOTICE_BYTES_MAX: Final = 64 * 1024
"""Files and payloads of a desk."""

# Cards

REQUEST_BYTES_MAX: Final = 64 * 1024
CARD_BYTES_MAX: Final = 1024 * 1024
"""The files of an enrolment."""

EDITOR_CARD_BYTES_MAX: Final = 8 * 1024 * 1024
"""An editor's card: every member with 64 reply keys of 72 bytes."""

CERTIFICATE_BYTES_MAX: Final = 512
"""A card certificate with the longest name."""

REPLY_KEYS_IN_REQUEST: Final = 64
PREKEYS_PER_PACK: Final = 256
PACKS_PER_CARD: Final = 3
RELAYS_NAMED_ON_CARD: Final = 4
EPOCH_DAYS_AHEAD: Final = 30
EPOCH_WEEKS_AHEAD: Final = 52
"""What a card and a bulletin hold."""

EPOCHS_MAX: Final = 96
"""Epoch keys of one editor: 30 daily, 52 weekly, and some that have just passed."""

RELAYS_ON_CARD_MAX: Final = 16
"""Relays and collectors on one card: four named relays, and the desk's collectors."""

POSTAGE_ON_CARD_MAX: Final = 4096
POSTAGE_ON_REFRESH_MAX: Final = 500
POSTAGE_GROUPS_MAX: Final = 64
"""Pieces of postage handed out at once (a card has 2,420), and their kinds."""

REFRESH_BYTES_MAX: Final = 64 * 1024
"""What a desk sends to the holder of a card that runs low."""

# Invitations

INVITATION_CHARS_MAX: Final = 256
"""A typed invitation, spaces and dashes included; one has 58 characters that count."""

INVITATIONS_MAX: Final = 16
"""Invitations open at once: each is a beacon of its own on every network."""

INVITATION_HOURS_MAX: Final = 30 * 24
"""Longest life of an invitation: it lies in somebody's pocket all that time."""

ENROLMENT_LINKS_MAX: Final = 4
"""Links under one invitation; it is meant for one machine, which may be calling again."""

ENROLMENT_LINK_S_MAX: Final = 900.0
"""Two people compare eight words within this, or the machines call again."""

ENROLMENT_FIRST_S_MAX: Final = 10.0
"""A caller with an invitation says what it wants within this."""

ENROLMENT_KEEP_S: Final = 20.0
ENROLMENT_SILENT_S_MAX: Final = 60.0
"""While people compare, each side shows this often that it is there; else the link is over."""

JOIN_REQUEST_BYTES_MAX: Final = 16 * 1024
"""A request over a link: a reporter's, with 64 reply keys, has 5,000 bytes."""

CARD_PIECE_BYTES_MAX: Final = 32 * 1024
"""Of a card in one message; half a frame, as for blocks of bundles."""

CALLERS_REMEMBERED_MAX: Final = 8
"""Keys that called with one invitation; the second is the alarm, more say nothing new."""
