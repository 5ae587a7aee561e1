"""What the doctor finds: one fact for each check, and no sentence."""

import datetime as dt
import enum
from typing import Annotated, Final

from msgspec import Meta

from meshnews.control.fact import Count, Fact, Moment

NAME_CHARS_MAX: Final = 4096
"""As long as a path may be (limits.h: PATH_MAX)."""


class Level(enum.StrEnum):
    """How a check of the doctor came out."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


class Check(enum.StrEnum):
    """What the doctor looks at.  The facts that go with each are in `Finding`."""

    HOME = "home"
    """Only the owner may enter the home.  BAD: others may."""
    ABOVE = "above"
    """BAD: others may put another folder in the home's place, since `name` is open to them."""
    OWNER = "owner"
    """BAD: `number` files of the home belong to somebody else, one of them `name`."""
    SOCKET = "socket"
    """Others may use the control socket.  WARNING: if they enter the home; BAD: they may."""
    CONFIG = "config"
    """Others may read or change the configuration `name`.  Levels as for `SOCKET`."""
    FILES = "files"
    """Others may read or change `number` other files, one of them `name`.  Levels likewise."""
    DISK = "disk"
    """`number` bytes are free under the stores."""
    ROOM = "room"
    """BAD: nine tenths of the room for bundles, `number` bytes, hold what is kept until let go."""
    CLOCK = "clock"
    """GOOD: believed.  WARNING: not; `day` is the day the machine goes by."""
    CLOCK_WRONG = "clock-wrong"
    """WARNING: it shows `time`, which cannot be; `day` is the day the machine goes by."""
    DAEMON = "daemon"
    """GOOD: running.  WARNING: this answer came without one, so nothing moves."""
    DESK = "desk"
    """GOOD: belongs to the desk `name`.  BAD: to none."""
    CARD = "card"
    """The card in `name` is good until `day`.  BAD: expired, or recalled when `day` is absent."""
    MANIFEST = "manifest"
    """What the desk signed is good until `day`."""
    KEYS = "keys"
    """`number` of `of` one-time keys to seal with are left."""
    EPOCH_KEYS = "epoch-keys"
    """GOOD: the desk's shared keys cover today.  WARNING: the newest ended on `day`."""
    POSTAGE = "postage"
    """`number` of `of` pieces of postage for routine dispatches are left."""
    FLASH_POSTAGE = "flash-postage"
    """`number` of `of` pieces of postage for flashes are left."""
    COLLECTOR = "collector"
    """`number` collectors with an address are known.  WARNING: none."""
    CONTACT = "contact"
    """Another machine was last met at `time`.  WARNING: some are heard, none has a link."""
    RECEIPTS = "receipts"
    """The last receipt came at `time`.  WARNING: never, while dispatches wait."""
    WAITING = "waiting"
    """`number` dispatches wait for a receipt, the oldest since `time`."""
    ONE_MACHINE = "one-machine"
    """WARNING: the desk's keys lie on the machine that strangers may call."""
    EDITORS = "editors"
    """The desk has `number` editors.  WARNING: one, whose loss would be the desk's."""
    STORE = "store"
    """`number` bundles are known here."""
    NETWORKS = "networks"
    """`number` networks are in reach.  WARNING: none."""
    IPV4 = "ipv4"
    """WARNING: the network of `name` gave no IPv4 address."""
    CALLS = "calls"
    """WARNING: nothing can be sent to everybody on the network of `name`."""
    PORT = "port"
    """BAD: nobody can come in at the port `number`, which another program has."""
    FIREWALL = "firewall"
    """WARNING: a firewall keeps others' calls away on `name`; their UDP port is `number`."""
    FIREWALL_UNKNOWN = "firewall-unknown"
    """WARNING: this machine has neither called nor heard anybody, so nothing is known of one."""
    FIREWALL_MULTICAST = "firewall-multicast"
    """WARNING: it keeps away on `name` what comes by multicast; other calls come."""
    FIREWALL_BROADCAST = "firewall-broadcast"
    """WARNING: it keeps away on `name` what comes by broadcast; other calls come."""
    FIREWALL_IPV4 = "firewall-ipv4"
    """WARNING: it keeps away on `name` what comes over IPv4; calls over IPv6 come."""
    FIREWALL_IPV6 = "firewall-ipv6"
    """WARNING: it keeps away on `name` what comes over IPv6; calls over IPv4 come."""
    NO_MULTICAST = "no-multicast"
    """WARNING: the network of `name` brings others' calls by broadcast and none by multicast."""
    NO_BROADCAST = "no-broadcast"
    """WARNING: the network of `name` brings others' calls by multicast and none by broadcast."""
    NAME_TAKEN = "name-taken"
    """WARNING: another machine answers under the DNS-SD name `name` of this one."""
    HEARD = "heard"
    """`number` machines of the desk were heard lately.  WARNING: none."""
    RELAYS = "relays"
    """`number` of `of` relays and collectors known were heard lately.  WARNING: none."""
    SWAP = "swap"
    """WARNING: memory may be written, readable, to `name`."""
    SERVICE = "service"
    """WARNING: nobody starts this machine's daemon again after a power cut."""
    ENABLED = "enabled"
    """WARNING: the service `name` is not started when the machine is."""
    LINGER = "linger"
    """WARNING: the service `name` runs only while its keeper is logged in."""
    BLUETOOTH = "bluetooth"
    """How Bluetooth fares; `name` is a `RadioState`."""
    BLUETOOTH_ADAPTER = "bluetooth-adapter"
    """GOOD: `name` is the one in use of `number` adapters."""
    BLUETOOTH_ADDRESS = "bluetooth-address"
    """WARNING: the adapter's address is always the same, for all to see."""
    RECALLED = "recalled"
    """BAD: the desk has recalled this home."""
    NEW_KEYS = "new-keys"
    """After a recall `number` of `of` holders have not confirmed the new keys.  GOOD: all have."""
    FORMER_KEY = "former-key"
    """WARNING: this machine still answers to `number` keys that a recalled holder knew."""
    ISSUER = "issuer"
    """This editor makes postage until `day`.  WARNING: soon over; BAD: over."""


class Finding(Fact, frozen=True, kw_only=True):
    """What one check of the doctor found; `Check` says which facts go with which."""

    check: Check
    level: Level
    number: Count | None = None
    of: Count | None = None
    day: dt.date | None = None
    time: Moment | None = None
    name: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    """A name, an interface, or a path."""
