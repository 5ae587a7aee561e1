"""What the doctor says: of each problem one sentence, and one thing to do about it."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshnews.control.fact import RadioState
from meshnews.control.finding import Check, Finding, Level
from meshnews_cli.terminal import byte_size, count, moment


@dataclass(frozen=True, slots=True)
class Words:
    """One finding, said to a person.

    Attributes:
        what: one sentence.
        remedy: one sentence more where something is wrong, else nothing.
    """

    what: str
    remedy: str = ""


class _Number(int):
    """A number that brings its noun along: ``{number:file}`` is ``1 file`` or ``2 files``.

    ``{number:is|are}`` is one word or the other.
    """

    def __format__(self, words: str) -> str:
        one, _, many = words.partition("|")
        if many:
            return one if self == 1 else many
        return count(int(self), one) if one else str(int(self))


RADIOS: Final = {
    RadioState.ON: Words("Bluetooth is in use."),
    RadioState.ABSENT: Words(
        "There is no Bluetooth adapter here, or not the one that config.toml names."
    ),
    RadioState.OFF: Words(
        "The Bluetooth adapter is powered off.",
        "Turn it on with `bluetoothctl power on`, after `rfkill unblock bluetooth` if that fails.",
    ),
    RadioState.NO_SERVICE: Words(
        "Nobody answers for Bluetooth.",
        "Install the package bluez, and start it with `systemctl start bluetooth`.",
    ),
    RadioState.DENIED: Words(
        "This account may not use Bluetooth.",
        "Add it to the group bluetooth, and start the daemon again.",
    ),
    RadioState.FAILING: Words(
        "Bluetooth does not show what it is asked to show.",
        "Look for another program that shows adverts; it is tried again all the time.",
    ),
    RadioState.SPARED: Words(
        "Bluetooth rests, since the battery is low.",
        "Connect the machine to power, or lower bluetooth_battery_min in config.toml.",
    ),
}


def words_of(finding: Finding, home: Path) -> Words:
    """Return what is said of a finding in `home`."""
    words = _WORDS.get((finding.check, finding.level)) or _WORDS[finding.check, None]
    if finding.check is Check.BLUETOOTH and finding.name in RADIOS:
        words = RADIOS[RadioState(finding.name)]
    number = finding.number or 0
    facts = {
        "number": _Number(number),
        "of": _Number(finding.of or 0),
        "size": byte_size(number),
        "day": finding.day or "an unknown day",
        "time": moment(finding.time) if finding.time is not None else "an unknown time",
        "name": finding.name or "something",
        "path": shlex.quote(finding.name or "FOLDER"),
        "home": shlex.quote(str(home)),
    }
    remedy = words.remedy if finding.level is not Level.GOOD else ""
    return Words(words.what.format(**facts), remedy.format(**facts))


_CLOSE: Final = "Take it from them with `chmod -R go= {home}`."
_CONTACT_BRINGS: Final = "Get near a relay or a colleague: contact with the desk brings more."

_OF_THE_MACHINE: Final[dict[tuple[Check, Level | None], Words]] = {
    (Check.HOME, Level.GOOD): Words("Only you can enter this home."),
    (Check.HOME, None): Words("Others on this machine can enter this home.", _CLOSE),
    (Check.ABOVE, None): Words(
        "Others on this machine can put another folder in the place of this home, since {name} is "
        "theirs to change.",
        "Take that from them with `chmod go-w {path}`, or keep the home elsewhere.",
    ),
    (Check.OWNER, None): Words(
        "{number:file} of this home {number:belongs|belong} to somebody else, such as {name}.",
        "Make all of it yours with `sudo chown -R $USER {home}`.",
    ),
    (Check.SOCKET, None): Words("The control socket is open to others on this machine.", _CLOSE),
    (Check.CONFIG, None): Words(
        "The configuration {name} is open to others, and it may name machines of your desk.",
        "Take it from them with `chmod go= {path}`.",
    ),
    (Check.FILES, None): Words(
        "{number:file} in this home {number:is|are} open to others on this machine, such as "
        "{name}.",
        _CLOSE,
    ),
    (Check.DISK, Level.GOOD): Words("{size} are free on the disk."),
    (Check.DISK, Level.WARNING): Words(
        "Only {size} are free on the disk, so dispatches of others are dropped before their time.",
        "Make room on the disk of {home}.",
    ),
    (Check.DISK, None): Words(
        "Only {size} are free on the disk, so that what you file may be refused.",
        "Make room on the disk of {home}.",
    ),
    (Check.ROOM, None): Words(
        "Attachments kept here take nearly all of the {size} there are for bundles, so that no "
        "more of them come in.",
        "Save them elsewhere and let them go, item by item, with `meshnews open ID --save DIR "
        "--let-go`, or raise `quota_mb`.",
    ),
    (Check.CLOCK, Level.GOOD): Words("The clock is believed."),
    (Check.CLOCK, None): Words(
        "The clock is not believed, so this machine goes by {day} and `meshnews file` asks for "
        "the date.",
        "Let the system set it from a network where there is one.",
    ),
    (Check.CLOCK_WRONG, None): Words(
        "The clock says {time}, which cannot be, so this machine goes by {day}.",
        "Set the clock.",
    ),
    (Check.SWAP, Level.GOOD): Words("No memory is written to a readable swap."),
    (Check.SWAP, None): Words(
        "Memory, and keys with it, may be written to the swap {name}, where they can be read.",
        "Turn it off with `sudo swapoff {path}`, or encrypt it.",
    ),
    (Check.DAEMON, Level.GOOD): Words("The daemon is running."),
    (Check.DAEMON, None): Words(
        "No daemon is running, so nothing moves.", "Start one with `meshnewsd`."
    ),
    (Check.SERVICE, Level.GOOD): Words("The daemon is a service: it comes back after a power cut."),
    (Check.SERVICE, None): Words(
        "The daemon was started by hand and does not come back after a power cut.",
        "Make it a service of systemd.",
    ),
    (Check.ENABLED, None): Words(
        "The service {name} runs now and is not started again after a power cut.",
        "Have it started with `systemctl enable {path}`, with --user where it is yours alone.",
    ),
    (Check.LINGER, None): Words(
        "The service {name} runs only while you are logged in.",
        "Let it run always with `loginctl enable-linger`.",
    ),
}

_OF_NETWORKS: Final[dict[tuple[Check, Level | None], Words]] = {
    (Check.NETWORKS, Level.GOOD): Words("{number:network} {number:is|are} in reach."),
    (Check.NETWORKS, None): Words(
        "No network is in reach.", "Join a wireless network or plug in a cable."
    ),
    (Check.IPV4, None): Words(
        "The network on {name} gave no IPv4 address, so machines are found there by IPv6 alone.",
        "Where one is missed, let an access point or a hotspot give addresses.",
    ),
    (Check.CALLS, None): Words(
        "Nothing can be sent to everybody on {name}, so no machine is found there by calling.",
        "Let UDP port {number} out of this machine's firewall, or use another network.",
    ),
    (Check.PORT, None): Words(
        "Nobody comes in at TCP port {number}, since this machine does not give it to the daemon.",
        "End the program that has it, which `ss -ltnp` shows, or name another in `config.toml`.",
    ),
    (Check.FIREWALL, Level.GOOD): Words("No firewall of this machine keeps others' calls away."),
    (Check.FIREWALL, None): Words(
        "A firewall of this machine keeps others' calls away on {name}, so others are not found.",
        "Let UDP port {number} in.",
    ),
    (Check.FIREWALL_UNKNOWN, None): Words(
        "Whether a firewall keeps others' calls away is not known, since this machine has neither "
        "called nor heard anybody.",
        "Run `meshnews look 1` where being noticed does no harm, and then `meshnews doctor`.",
    ),
    (Check.FIREWALL_MULTICAST, None): Words(
        "A firewall of this machine keeps away on {name} what comes by multicast; what comes by "
        "broadcast is heard.",
        "Let UDP port {number} in for 224.0.0.1 and ff02::1.",
    ),
    (Check.FIREWALL_BROADCAST, None): Words(
        "A firewall of this machine keeps away on {name} what comes by broadcast; what comes by "
        "multicast is heard.",
        "Let UDP port {number} in for 255.255.255.255.",
    ),
    (Check.FIREWALL_IPV4, None): Words(
        "A firewall of this machine keeps away on {name} what comes over IPv4; what comes over "
        "IPv6 is heard.",
        "Let UDP port {number} in over IPv4.",
    ),
    (Check.FIREWALL_IPV6, None): Words(
        "A firewall of this machine keeps away on {name} what comes over IPv6; what comes over "
        "IPv4 is heard.",
        "Let UDP port {number} in for ff02::1.",
    ),
    (Check.NO_MULTICAST, None): Words(
        "The network on {name} brings others' calls by broadcast alone, and no multicast: zeroconf "
        "finds nobody there.",
        "Where a machine is missed, let the access point pass multicast on, or use another "
        "network.",
    ),
    (Check.NO_BROADCAST, None): Words(
        "The network on {name} brings others' calls by multicast alone, and no broadcast.",
        "Where a machine is missed, let the access point pass broadcast on, or use another "
        "network.",
    ),
    (Check.NAME_TAKEN, None): Words(
        "Another machine on this network answers under {name}, the random name of this one, "
        "which does not happen by chance.",
        'Write visibility = "veiled" into config.toml and start again, or use another network.',
    ),
    (Check.HEARD, Level.GOOD): Words(
        "{number:machine} of your desk {number:was|were} heard lately."
    ),
    (Check.HEARD, None): Words(
        "No machine of your desk was heard lately, so nothing leaves this one.",
        "Some networks keep their users apart: try another or a hotspot of your own, or let a "
        "colleague beside you run `meshnews look` too.",
    ),
    (Check.RELAYS, Level.GOOD): Words(
        "{number} of {of} relays and collectors known here {number:was|were} heard lately."
    ),
    (Check.RELAYS, None): Words(
        "Of {of} relays and collectors known here none was heard lately, only colleagues.",
        "Get near a relay, or let a colleague who goes there carry.",
    ),
    (Check.CONTACT, Level.GOOD): Words("Another machine was last met at {time}."),
    (Check.CONTACT, None): Words(
        "Machines of your desk are heard, but none has a link to this one, so nothing leaves it.",
        "If that lasts longer than a minute, let TCP through the firewalls, or use another "
        "network.",
    ),
}

_OF_THE_DESK: Final[dict[tuple[Check, Level | None], Words]] = {
    (Check.STORE, None): Words("This machine knows of {number:bundle}."),
    (Check.DESK, Level.GOOD): Words("This home belongs to the desk {name}."),
    (Check.DESK, None): Words(
        "This home belongs to no desk.",
        "Join one with `meshnews enrol`, or make one with `meshnews desk create`.",
    ),
    (Check.CARD, Level.GOOD): Words("The card for {name} is good until {day}."),
    (Check.CARD, Level.WARNING): Words(
        "The card for {name} ends on {day}.", "Ask your desk for a new one."
    ),
    (Check.CARD, None): Words(
        "The card for {name} is no longer good.", "Ask your desk for a new one."
    ),
    (Check.MANIFEST, Level.GOOD): Words("What the desk signed is good until {day}."),
    (Check.MANIFEST, None): Words(
        "What the desk signed ended on {day}, so it serves for filing and new keys are refused.",
        "Get near a relay or a colleague who has newer word of the desk.",
    ),
    (Check.KEYS, Level.GOOD): Words("{number} of {of} one-time keys are left to file with."),
    (Check.KEYS, Level.WARNING): Words(
        "Only {number} of {of} one-time keys are left to file with.", _CONTACT_BRINGS
    ),
    (Check.KEYS, None): Words(
        "No one-time key is left, so keys that dispatches share are used instead.", _CONTACT_BRINGS
    ),
    (Check.EPOCH_KEYS, Level.GOOD): Words("The desk's shared keys cover today."),
    (Check.EPOCH_KEYS, None): Words(
        "The desk's newest shared key ended on {day} and is used all the same.", _CONTACT_BRINGS
    ),
    (Check.POSTAGE, Level.GOOD): Words("Postage for {number} of {of} dispatches is left."),
    (Check.POSTAGE, Level.WARNING): Words(
        "Postage for only {number} of {of} dispatches is left.", _CONTACT_BRINGS
    ),
    (Check.POSTAGE, None): Words(
        "No postage is left, so no dispatch can be filed.", _CONTACT_BRINGS
    ),
    (Check.FLASH_POSTAGE, Level.GOOD): Words("Postage for {number} of {of} flashes is left."),
    (Check.FLASH_POSTAGE, Level.WARNING): Words(
        "Postage for only {number} of {of} flashes is left.", _CONTACT_BRINGS
    ),
    (Check.FLASH_POSTAGE, None): Words(
        "No postage for flashes is left; routine dispatches are not touched by this.",
        _CONTACT_BRINGS,
    ),
    (Check.COLLECTOR, Level.GOOD): Words(
        "{number:collector} of the desk {number:is|are} known by address."
    ),
    (Check.COLLECTOR, None): Words(
        "No address of a collector is known, so dispatches leave only through neighbours that "
        "know one.",
        "Ask your desk for the collector's address and write it into config.toml.",
    ),
    (Check.RECEIPTS, Level.GOOD): Words("The desk's last receipt came at {time}."),
    (Check.RECEIPTS, None): Words(
        "No receipt has come from the desk while dispatches wait.", "Get near a relay."
    ),
    (Check.WAITING, Level.GOOD): Words(
        "{number} {number:dispatch waits|dispatches wait} for a receipt."
    ),
    (Check.WAITING, None): Words(
        "Dispatches wait for a receipt, {number} in all, the oldest since {time}.",
        "Get near a relay.",
    ),
    (Check.ONE_MACHINE, Level.GOOD): Words(
        "The desk's keys do not lie on a machine that strangers call."
    ),
    (Check.ONE_MACHINE, None): Words(
        "Editor and collector share this home, so the desk's keys lie on a machine that strangers "
        "may call.",
        "For work, make the collector a home of its own on another machine.",
    ),
    (Check.EDITORS, Level.GOOD): Words("The desk has {number:editor}."),
    (Check.EDITORS, None): Words(
        "The desk has {number:editor}, so if this home is lost nobody can open what comes in.",
        "Add another with `meshnews desk editor`.",
    ),
    (Check.BLUETOOTH, Level.GOOD): Words("Bluetooth is in use."),
    (Check.BLUETOOTH, None): Words(
        "How Bluetooth fares is not known.", "Update this program to that of the daemon."
    ),
    (Check.BLUETOOTH_ADAPTER, None): Words(
        "Of {number} Bluetooth adapters {name} is in use.",
        "Name the one to use as `bluetooth_adapter` in config.toml.",
    ),
    (Check.BLUETOOTH_ADDRESS, Level.GOOD): Words(
        "The Bluetooth adapter's address changes every quarter of an hour."
    ),
    (Check.BLUETOOTH_ADDRESS, None): Words(
        "Whoever listens near you sees the Bluetooth adapter's own address, always the same.",
        "Write `Privacy = device` under [General] in /etc/bluetooth/main.conf and restart "
        "bluetoothd.",
    ),
    (Check.RECALLED, None): Words(
        "The desk has recalled this home: nobody believes what it signs.",
        "If it is in your hands alone, ask the desk for a card in a new home.",
    ),
    (Check.NEW_KEYS, Level.GOOD): Words(
        "After a recall, all {of} others have confirmed their new keys."
    ),
    (Check.NEW_KEYS, None): Words(
        "After a recall, {number} of {of} others {number:has|have} not confirmed new keys.",
        "Stay in contact with a collector, since they are told again every week; `meshnews desk "
        "recall` lists them, and relays never confirm.",
    ),
    (Check.FORMER_KEY, None): Words(
        "Whoever was recalled can find and call this machine for at most 30 days more, since it "
        "still answers to {number:former key}.",
        "Take it off the network if its place is in danger; else others are cut off who have not "
        "heard of its new key.",
    ),
    (Check.ISSUER, Level.GOOD): Words("You can make cards until {day}."),
    (Check.ISSUER, Level.WARNING): Words(
        "You can make cards only until {day}.",
        "Let the root renew your desk's list of editors before.",
    ),
    (Check.ISSUER, None): Words(
        "The key with which you make postage ended on {day}, so no card can be made or refreshed.",
        "Let the root renew your desk's list of editors.",
    ),
}

_WORDS: Final = {**_OF_THE_MACHINE, **_OF_NETWORKS, **_OF_THE_DESK}
