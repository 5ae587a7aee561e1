"""The shelves of both stores: their names, what their keys and values are.

Values are canonical msgpack unless said.  A shelf belongs to the module named
with it; others go through that module.
"""

from typing import Final

# On carry: what it takes to carry, on every machine.  Never a name, never a
# member's key.

SELF: Final = "self"
"""identity: ``role`` -> role; ``relay`` -> own relay secrets; ``desk`` -> desk id;
``notice`` -> desk notice key; ``beacon`` -> own beacon key."""

RELAY: Final = "relay"
"""identity: static key of a relay to dial -> [beacon key, flags]."""

DESK: Final = "desk"
"""book: ``m`` -> signed manifest; ``b`` ‖ signer -> bulletin; ``r`` ‖ id -> recall;
``n`` ‖ one of these keys ‖ beginning of a desk notice key -> day u32 ‖ id of the bundle that
bears it under that key."""

DRAFT: Final = "draft"
"""filing: reference of a chunk kept for a dispatch not finished yet -> draft id."""

UNTRIED: Final = "untried"
"""node: reference of a bundle that arrived while the vault was closed -> empty."""

UNHEARD: Final = "unheard"
"""dispatch: reference of a bundle that became acked while the vault was closed -> empty."""

REPLAY: Final = "replay"
"""switchboard: 16-byte hash of a client's ephemeral key -> empty."""

MARK: Final = "mark"
"""presence: static key of a relay -> [epoch, count] of its last beacon that led to a link."""

WIRE: Final = "wire"
"""uplink: ``p`` ‖ static key ‖ address -> when a receipt came back that way, s of life;
allowance: ``u`` ‖ which ways -> [day, bytes of it, hour, ms of it];
wire_log: ``l`` ‖ number u32 -> signed entry; ``k`` -> own signing key; ``s`` -> last seen up;
desk_seen: ``d`` -> when a collector was last in contact, s of life."""

DROP: Final = "drop"
"""drop: ``d`` ‖ name -> empty: what lies there was looked at;
``s`` ‖ name -> day u32: a sheet of our own."""

REFRESHED: Final = "refreshed"
"""refreshing: ``r`` ‖ editor ‖ time -> empty: this refresh was taken in;
``k`` ‖ what -> time u64 ‖ editor of the refresh that a single key came with."""

FORMER: Final = "former"
"""former: ``b`` ‖ static key, or ``n`` ‖ nothing, ‖ number u32 -> [end s of life, key replaced]."""

# In the vault: what belongs to a person.

PERSON: Final = "person"
"""person: single values of this person: keys, names, counters."""

PACK: Final = "pack"
"""wallet: editor's sign key ‖ reference -> one-time prekey from the card."""

POSTAGE: Final = "postage"
"""wallet: class u8 ‖ n u8 ‖ random 8 -> postage key from the card."""

REPLY_KEY: Final = "reply-key"
"""wallet: reference -> own one-time secret for an answer."""

SPENT: Final = "spent"
"""wallet: reference of an own one-time key that opened an answer -> that answer's reference."""

REPLY_SCAN: Final = "reply-scan"
"""wallet: first day u32 -> own scan secret for answers (raw 32 bytes)."""

OWN: Final = "own"
"""filing: dispatch id -> what was filed and how far it has come."""

SEALED: Final = "sealed"
"""filing: first 16 bytes of a purge commitment -> id of the dispatch that has it."""

PART: Final = "part"
"""filing: bundle id -> [dispatch id, which attachment, carried already?]."""

OUTBOX: Final = "outbox"
"""outbox: reference -> [since s of life, draft id, held until s of life, wire form], until carry
is known to hold it."""

LETTER: Final = "letter"
"""letter: bundle id -> the heading of an opened item."""

LETTER_TEXT: Final = "letter-text"
"""letter: bundle id -> the text of an opened item."""

STRANGER: Final = "stranger"
"""letter: byline key ‖ bundle id -> empty: an opened item by somebody not known yet."""

LETTER_ORDER: Final = "letter-order"
"""letter: u64 -> bundle id, in order of opening."""

AWAITED: Final = "awaited"
"""gathering: chunk id ‖ letter id ‖ attachment u8 -> [level, position, data hash]."""

LEAF: Final = "leaf"
"""gathering: letter id ‖ attachment u8 ‖ position u64 -> [chunk id, data hash]."""

DUE: Final = "due"
"""confirmation: reference -> receipt to hand to collectors, until it comes back."""

HANDED: Final = "handed"
"""confirmation: reference ‖ first 8 bytes of a collector's static key -> empty: it says to
have it."""

RELEASE: Final = "release"
"""confirmation: when u64 ms of life ‖ reference -> receipt to make known then."""

OPENED: Final = "opened"
"""reopening: day u32 ‖ purge commitment -> its preimage ‖ hash of what was sealed ‖ payer."""

UNREADABLE: Final = "unreadable"
"""reopening: purge commitment -> empty: an item says that this cannot be read."""

SCAN: Final = "scan"
"""desk_keys: first day u32 -> scan secret of that time."""

EPOCH: Final = "epoch"
"""desk_keys: reference -> [first day, days, secret]."""

PREKEY: Final = "prekey"
"""desk_keys: reference -> [secret, psk, byline key, used at, what it opened]: private halves of
packs given out."""

USED: Final = "used"
"""desk_keys: when used, u64 s of life ‖ reference -> empty: prekeys that wait to be deleted."""

BURNT: Final = "burnt"
"""desk_keys: reference of a deleted prekey -> byline key it was given to ‖ what it opened."""

MEMBER: Final = "member"
"""roster: byline key -> certificate, reply scan key."""

CHAIN: Final = "chain"
"""chain: byline key ‖ seq u64 -> link, prev and item of the statement in that place."""

MEMBER_KEY: Final = "member-key"
"""reply_keys: byline key ‖ reference -> one-time key by which this editor may answer a member."""

MEMBER_KEY_GONE: Final = "member-key-gone"
"""reply_keys: byline key ‖ reference -> empty: one that is used, or another editor's."""

RELAY_BOOK: Final = "relay-book"
"""roster: static key -> notice key, sign key, flags, beacon key, name, order."""

STOCK: Final = "stock"
"""stock: byline or static key -> what the desk gave its holder, and what of it is gone."""

KEYRING: Final = "keyring"
"""keyring: name of a shared key -> [time, editor, key, day]: as it was replaced last."""

OWED: Final = "owed"
"""owed: byline, static or sign key ‖ name of a shared key -> [since day, sent day, reference]."""

RECALLED: Final = "recalled"
"""recalling: revocation id -> signed recall that this editor has published."""

NETWORK: Final = "network"
"""surroundings: keyed hash of what tells a trusted network from others -> empty."""

INVITATION: Final = "invitation"
"""invitation_shelf: number u32 -> an invitation of this desk, and who answered it."""

INVITATION_CARD: Final = "invitation-card"
"""invitation_shelf: number u32 -> the card file made for its joiner, until that has it."""
