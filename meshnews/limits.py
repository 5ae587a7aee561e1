"""Every number that a stranger could influence, with its ceiling and its reason.

What those who belong to a desk could influence is in `meshnews.desk.limits`, and what the
programs of one person ask of one another in `meshnews.control.limits`.
"""

from typing import Final

WIRE_BYTES: Final = (2048, 8192, 32768, 66560)
"""The four sizes of a bundle, so that a size tells a relay almost nothing.  The
largest is the best size for the ciphers and takes about 3 s over Bluetooth."""

FLASH_WIRE_BYTES_MAX: Final = 8192
"""Largest class 1 bundle: a flash never fills a ten-second contact by itself."""

LIVES_DAYS: Final = (1, 3, 7, 14)
"""The lives a bundle may have; few values tell little."""

STANZA_BYTES: Final = 72
"""What lets one reader open a bundle."""

STANZAS_SMALL: Final = 4
"""Stanzas in a 2048-byte bundle."""

STANZAS_LARGE: Final = 8
"""Stanzas in every larger one."""

SMALL_OFFER_BYTES_MAX: Final = 8192
"""Bundles up to this size are sent without an offer first: the round trip costs more."""

CHUNK_BYTES: Final = 65536
"""Plaintext of one attachment chunk; fits the largest bundle with its header."""

ATTACHMENT_BYTES_MAX: Final = 2 * 1024**3
"""Largest attachment: 32,768 chunks, a tree of depth 2."""

ATTACHMENTS_MAX: Final = 16
"""Attachments of one dispatch; each costs 160 bytes of its statement, and its name."""

ATTACHMENT_NAME_BYTES_MAX: Final = 64
"""Of UTF-8; sixteen longest names still leave a flash room for its words."""

SLUG_CHARS_MAX: Final = 64
"""A slug is one word; this holds the longest in any language."""

STAMP_BITS_MIN: Final = 20
"""Least work for a stamp: about a second of a laptop."""

POSTAGE_IDS_MAX: Final = 16
"""Most identifiers one postage key may frank."""

DAY_MAX: Final = 65518
"""Latest day of a bundle (the year 2199): its expiry day still fits two bytes."""

STAMP_BITS_MAX: Final = 64
"""Most work a stamp may claim; nobody will ever have done it."""

CERTIFICATES_REMEMBERED_MAX: Final = 4096
"""Postage certificates remembered as verified; about 400 bytes each."""

FRESH_MAX: Final = 4
REPLY_KEYS_MAX: Final = 4
"""Sightings and reply keys in one statement."""

SEQ_MAX: Final = 2**32 - 1
CLAIMED_TIME_S_MAX: Final = 2**40
"""What a statement may claim: its place in its author's chain, seconds since 1970 UTC."""

TEXT_CHARS_MAX: Final = 65536
"""Characters of an item's text; the largest bundle holds fewer."""

ROUTINE_FILE_BYTES_MAX: Final = 1024 * 1024
"""Attachments up to this size travel in class 2, as previews of any size do."""

INDEX_CHILDREN_MAX: Final = 1024
"""Children of one index node: 64 bytes each fill a chunk."""

TREE_DEPTH_MAX: Final = 2
"""1024 * 1024 leaves would be 64 GiB; ATTACHMENT_BYTES_MAX is reached long before."""

# Links

FRAME_BYTES_MAX: Final = 64 * 1024
"""Largest message on a link; bounds what a peer can make us buffer."""

RECORD_BYTES: Final = (256, 4096, 16384)
"""Sizes of records on stream carriers.  What came of one is of no use before its end."""

RECORD_BYTES_BLUETOOTH: Final = (244, 976, 3904)
"""The same on Bluetooth: multiples of what one packet of the radio carries."""

RECORD_S_MAX: Final = 0.1
"""A record takes at most this of the measured rate, so that urgent things can step in."""

RECORDS_PER_KEY: Final = 1 << 14
"""Records under one key before it is replaced (rekey)."""

HANDSHAKE_JUNK_BYTES_MAX: Final = 512
"""Most random bytes after a handshake message, so that its length says nothing."""

HANDSHAKES_PENDING_MAX: Final = 16
"""Unfinished handshakes at once; strangers can hold no more of us than this."""

HANDSHAKE_S_MAX: Final = 5.0
"""Deadline of a handshake."""

SILENCE_S: Final = (5.0, 60.0)
"""A peer that fails is left in silence for a random time between these."""

LINK_S_MAX: Final = 3600.0
"""A link is made afresh after an hour."""

BEACON_EPOCH_S: Final = 900
"""A beacon shows itself this long, then another; short enough that it is no name."""

BEACON_EPOCHS_APART_MAX: Final = 2
"""How far the epoch of a beacon may be from the listener's: clocks half an hour apart meet."""

BEACON_EPOCHS_ANSWERED: Final = 3
"""A responder answers calls to its beacons of this many epochs, the present one included."""

FRAME_S_MAX: Final = 60.0
"""A frame that began must be whole within this."""

NEIGHBOURS_MAX: Final = 8
NEIGHBOURS_MAX_RELAY: Final = 32
NEIGHBOURS_MAX_COLLECTOR: Final = 256
"""Links at once: a person's machine, a relay, a collector (decision 0102)."""

WIRE_LOG_MAX: Final = 4096
"""Entries of the log of uplinks that are kept: two for each window, a year of some ten a day."""

# Sync

BLOCK_BYTES_LAN: Final = 32 * 1024
BLOCK_BYTES_UPLINK: Final = 8 * 1024
BLOCK_BYTES_BLUETOOTH: Final = 1024
"""Largest block of a bundle in one DATA message."""

LIST_IDS_MAX: Final = 2048
WANTS_PER_MESSAGE_MAX: Final = 2048
"""Short identifiers in one LIST; references in one WANT, STORED, NOTHELD or CANCEL."""

BUCKET_ELEMENTS_MAX: Final = 1_000_000
"""Elements a peer may announce for one bucket."""

DAYS_SPANNED_MAX: Final = 512
"""Two-day steps a comparison may reach back: somewhat more than a press card's life."""

RANGE_BITS_MAX: Final = 16
"""Finest cut of one bucket: 65,536 ranges of a full bucket hold 15 elements each."""

NAMES_PER_MESSAGE_MAX: Final = 1024
"""Bundles named in one HAVE; with 33 bytes each they fill half a frame."""

GROUPS_PER_MESSAGE_MAX: Final = 256
"""Buckets that the references of one message are grouped by."""

RECEIPTS_PER_MESSAGE_MAX: Final = 128
SHORT_RECEIPTS_PER_MESSAGE_MAX: Final = 256
"""Receipts in one ACKED: at most 36 kB of full ones and 16 kB of short ones."""

QUESTIONS_OPEN_MAX: Final = 4
"""Questions that may wait for their answers; each is at most 17 kB."""

GRID_BITS_MAX: Final = 8
PART_BITS_MAX: Final = 12
CELLS_MAX: Final = 512
"""Ranges of the 256 pages of a bucket; its parts; cells of one: seven times what it needs."""

CELLS_BYTES_MAX: Final = 48 * 1024
PARTS_ASKED_MAX: Final = 1024
"""Cells in one message, on Bluetooth some two seconds; parts in one MORE."""

SPLIT_BITS_MAX: Final = 28
SPLIT_FAN_MAX: Final = 4
SPLIT_PREFIXES_MAX: Final = 256
PART_KEYS_MAX: Final = 16
PARTS_KEYS_MAX: Final = 4096
"""SPLIT and PARTS: depth, fan as a power of two, ranges; keys of one range, and of all."""

KEYS_TOLD_MAX: Final = 2048
COMPARED_AT_ONCE_MAX: Final = 4
"""Keys in one TELL; buckets in work at once, each with 53 bytes an element of what differs."""

RECEIPTS_FOUND_MAX: Final = 8192
"""Full receipts that one comparison lets a side send: some 2 MB, behind everything else."""

WISHES_MAX: Final = 65_536
"""Bundles named by one peer and still wanted; what is named beyond waits for the next contact."""

WANTS_QUEUED_MAX: Final = 16_384
"""Requests of one peer that wait here: sixteen windows of the smallest bundles."""

ASKED_MAX: Final = 4096
"""Requests that a node leaves unanswered at one peer."""

BUNDLES_BEGUN_MAX: Final = 16
"""Bundles of one peer of which some has come, and not all: who gives has begun one of a class."""

HANDED_MAX: Final = 65_536
"""Bundles of bulk of which it is remembered how often they were passed on: some 4 GB of it."""

REPLIES_QUEUED_MAX: Final = 65_536
"""Names, receipts and answers that wait for one peer; one that asks and does not read is cut."""

GIVEN_MAX: Final = 65_536
"""Bundles given to one peer, or named to it, whose fate it has not told."""

BLOCK_BYTES_MIN: Final = 512
"""Least block but the last of a bundle, so that nobody sends a bundle byte by byte."""

LACKING_ASKED_MAX: Final = 64
"""Bundles a node lacks and asks for, unlisted, in one contact."""

STALL_S: Final = 30.0
"""A peer that owes bundles and sends no byte of any for so long is asked for none for a while."""

REQUEST_S_MAX: Final = 300.0
BUSY_BYTES_PER_S: Final = 250
"""A request is given up after this, unless the peer has sent so much of others meanwhile."""

CONTESTED_S: Final = 20.0
CONTESTED_BYTES_PER_S: Final = 1000
"""A bundle that comes slower than this for so long is asked of another neighbour that has it."""

RECONCILE_BYTES_BASE: Final = 256 * 1024
RECONCILE_BYTES_PER_BUNDLE: Final = 64
"""Comparison traffic allowed to a peer: the base, and more for every verified bundle."""

RECEIPTS_UNKNOWN_MAX: Final = 65_536
"""Receipts kept per issuer for identifiers never held: some 16 MB."""

AGE_ROUND_S: Final = 900
"""Ages are rounded up to this on transfer."""

# Store

STAMP_SHARE_MAX: Final = 0.10
NOTICE_SHARE_MAX: Final = 0.10
"""Most of the store that stamped bundles, and notices with nothing new for all, may fill."""

ACKED_KEEP_S: Final = 6 * 3600.0
"""How long an acked small body stays and may still go up an uplink."""

ACKED_BODY_BYTES_MAX: Final = 8192
"""An acked body up to this size stays at a relay for ACKED_KEEP_S; a larger one goes at once."""

FLOOR_STEP_S_MAX: Final = 7 * 86400
"""One signed object moves the time floor at most this far."""

CLOCK_AHEAD_S_MAX: Final = 400 * 86400
"""A wall clock further above the floor than this is not believed."""

FLOOR_JUMP_GRACE_S: Final = 3 * 86400.0
"""Bodies expired by a jump of the floor stay this much uptime longer."""

COLLECTOR_KEEP_DAYS: Final = 30
"""A desk's machines keep bodies this long after expiry, so that each gets its copy."""

AGE_LEAST_S_MAX: Final = 3600.0
"""No age below a random number up to this leaves a machine: the first holder does not show."""

STAMPS_KNOWN_MAX: Final = 16384
"""Entries admitted by a stamp, bodies or not: stamps are cheap, so marks of them are bounded."""

SWEEP_ENTRIES_MAX: Final = 256
"""Entries of one kind that a sweep deals with at once; it comes back for the rest."""

SWEEP_S_MAX: Final = 600.0
"""Longest time between two sweeps."""

CLASS_FREE_SHARE: Final = 0.10
"""With this share of a class free, a node asks for what it lacks."""

# Key slots

SLOT_MEMORY_BYTES_MAX: Final = 256 * 1024**2
"""Most memory a key slot may ask for: half of what the smallest machine has."""

SLOT_PASSES_MAX: Final = 16
"""Most passes over it; some ten seconds of the smallest machine."""

PASSPHRASE_BYTES_MAX: Final = 4096
"""Longest passphrase as bytes: PASSPHRASE_CHARS_MAX in any script."""
