"""The configuration file of a home: ``config.toml``, all of it optional.

Every key is checked, and an unknown one is refused by name: a misspelt key that
is silently ignored is a promise silently broken.  See docs/configuration.md.
"""

import ipaddress
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from meshnews.errors import Refusal
from meshnews.limits import BEACON_EPOCH_S
from meshnews.node.event import Address
from meshnews.node.settings import (
    BulkRouting,
    RouteLimit,
    Settings,
    StaticNeighbour,
    Visibility,
)

CONFIG_BYTES_MAX: Final = 256 * 1024
NEIGHBOURS_NAMED_MAX: Final = 64
PORTS_MAX: Final = 8
PROXIES_MAX: Final = 4
DROPS_MAX: Final = 4
LIMITS_MAX: Final = 8

BEACON_PORT: Final = 48721
"""Assigned to nothing else; it tells only that some machine may be here."""
ADDRESSES_MAX: Final = 16

TELLING_WORDS: Final = ("press", "news", "mesh", "secure", "report", "dispatch", "desk")
"""Words that never appear on the air or in a list of processes."""


Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
NamedPort = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]


class Neighbour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A relay or collector to be called at a fixed address."""

    at: Annotated[str, msgspec.Meta(min_length=3, max_length=300)]
    """``host:port``; an IPv6 address in brackets, with its scope where it needs one."""
    relay: Annotated[str, msgspec.Meta(min_length=8, max_length=64)]
    """How the relay's key begins, in hexadecimal."""


class DropPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A dead drop on a file service."""

    kind: Literal["webdav", "s3"]
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[!-?A-~]{1,500}\Z")]
    """The folder; for S3 the service with the bucket as its path.  ASCII, and no name in it."""
    user: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """For S3 the access key."""
    password: Annotated[str, msgspec.Meta(max_length=256)] = ""
    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,64}\Z")] = "us-east-1"
    every_s: Annotated[float, msgspec.Meta(ge=5, le=86400)] = 300.0
    """About how often it is visited."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much ways out may be used; all that are meant share it."""

    kind: Literal["", "direct", "tls", "socks", "socks-tls"] = ""
    """Empty: any."""
    where: Annotated[str, msgspec.Meta(max_length=300)] = ""
    """Host, or ``host:port``, as the desk publishes it; empty: any."""
    mb_per_day: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0.0
    minutes_per_hour: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that a home's keeper may decide.  The defaults need no file."""

    visibility: Visibility | None = None
    """None: what the home's role brings with it."""
    clock: Literal["auto", "trusted", "untrusted"] = "auto"
    """Whether to believe the wall clock; auto: as far as the system vouches for it."""

    port: Port = 0
    """Where streams are accepted; 0: any free port, another at every start."""
    extra_ports: Annotated[tuple[NamedPort, ...], msgspec.Meta(max_length=PORTS_MAX)] = ()
    addresses: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=ADDRESSES_MAX)] = (
        "0.0.0.0",  # noqa: S104  a relay is there to be reached
        "::",
    )
    streams_max: Annotated[int, msgspec.Meta(ge=8, le=4096)] = 320
    """Streams accepted at once, strangers' included."""

    beacon_port: NamedPort = BEACON_PORT
    """Where machines of one desk call into a network to find each other; the same for all."""
    beacon_epoch_s: Annotated[float, msgspec.Meta(ge=10, le=BEACON_EPOCH_S)] = BEACON_EPOCH_S
    """How long a beacon stays the same; the same for all.  Shorter only for trials."""
    service_type: Annotated[str, msgspec.Meta(max_length=60)] = "_relay._tcp"
    """What the home is called on local networks while it is open."""
    process_title: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "relayd"

    bluetooth: bool = True
    """Whether Bluetooth is used where there is any; never by a home kept to this machine."""
    bluetooth_adapter: Annotated[str, msgspec.Meta(pattern=r"^(hci[0-9]{1,3})?$")] = ""
    """The only adapter to use; empty: the first that is powered."""
    bluetooth_alias: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] = "Bluetooth"
    """What the adapter is called once something was shown on it: who connects reads it."""
    bluetooth_scan_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 5.0
    bluetooth_pause_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    """For how long to listen for others, and not to, in turns."""
    bluetooth_battery_min: Annotated[int, msgspec.Meta(ge=0, le=100)] = 20
    """Percentage of a battery being drained below which Bluetooth rests."""
    bluetooth_bulk_after_s: Seconds = 900.0
    """Files above 1 MiB cross Bluetooth once nothing else has joined two machines for so long."""
    beacon_shape: Literal["auto", "ibeacon", "plain"] = "auto"
    """How beacons look on Bluetooth; auto: plain for who is open, as in shops for all others."""

    bulk_routing: BulkRouting = BulkRouting.FLOODING
    """To whom files above 1 MiB are passed on."""
    quota_mb: Annotated[int, msgspec.Meta(ge=16, le=16 * 1024 * 1024)] = 2048
    hold_s: Seconds = 1800.0
    """Own work other than flashes is first offered after a random time up to this."""
    hold_flash_s: Seconds = 120.0
    hold_receipt_s: Seconds = 1800.0
    """A reporter's receipt for an answer is let go after a random time up to this."""
    batch_s: Seconds = 1800.0
    """A collector lets receipts go this often."""
    batch_flash_s: Seconds = 120.0

    tls_ports: Annotated[tuple[NamedPort, ...], msgspec.Meta(max_length=PORTS_MAX)] = ()
    """Further ports, where streams are accepted inside TLS."""
    tls_name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?\Z")] = (
        "localhost"
    )
    """Whom a certificate that the home makes itself names."""
    tls_file: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    """Certificate and key to show there, PEM; empty: one that the home makes itself."""
    direct: bool = True
    """Whether collectors are called without a proxy too."""
    proxies: Annotated[tuple[str, ...], msgspec.Meta(max_length=PROXIES_MAX)] = ()
    """SOCKS5 proxies such as Tor's, through which collectors are called too."""
    metered: bool = False
    """Whether bulk stays away from ways out: what crosses them is paid for."""
    drop: Annotated[tuple[DropPlace, ...], msgspec.Meta(max_length=DROPS_MAX)] = ()
    limit: Annotated[tuple[Limit, ...], msgspec.Meta(max_length=LIMITS_MAX)] = ()
    wire_patience_s: Seconds = 150.0
    """A way out that takes bundles for so long and brings no receipt is not relied on."""

    log_format: Literal["plain", "json"] = "plain"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    neighbour: Annotated[tuple[Neighbour, ...], msgspec.Meta(max_length=NEIGHBOURS_NAMED_MAX)] = ()

    @property
    def is_kept_to_itself(self) -> bool:
        """Nobody but this machine is to reach the home."""
        return all(ipaddress.ip_address(each).is_loopback for each in self.addresses)

    @property
    def may_use_bluetooth(self) -> bool:
        """Bluetooth is wanted, where there is any."""
        return self.bluetooth and not self.is_kept_to_itself


def load_config(path: Path, *, required: bool = False) -> Config:
    """Return what the file at `path` says; the defaults where there is none.

    Raises:
        Refusal: the file cannot be read or says what it may not; it names the key
            and, where that can be known, the line.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError as exc:
        if not required:
            return Config()
        raise _refused(path, "is not there") from exc
    except OSError as exc:
        raise _refused(path, f"cannot be read ({exc.strerror})") from exc
    if len(raw) > CONFIG_BYTES_MAX:
        raise _refused(path, f"has more than {CONFIG_BYTES_MAX} bytes")
    try:
        return parse_config(raw.decode("utf-8"), path)
    except UnicodeDecodeError as exc:
        raise _refused(path, "is not UTF-8") from exc


def parse_config(text: str, path: Path = Path("config.toml")) -> Config:
    """Return what `text` says; `path` is only named in refusals.

    Raises:
        Refusal: see `load_config`.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise _refused(path, f"is not TOML: {exc}") from exc
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as exc:
        problem, key = _locate(str(exc))
        raise _refused(path, problem, key=key, line=_line_of(text, key)) from exc
    for problem, key in _impossible(config):
        raise _refused(path, problem, key=key, line=_line_of(text, key))
    return config


def node_settings(config: Config) -> Settings:
    """Return what of `config` the node itself goes by."""
    return Settings(
        quota_bytes=config.quota_mb * 1_000_000,
        neighbours=tuple(
            StaticNeighbour(Address("tcp", each.at), _key_start(each.relay))
            for each in config.neighbour
        ),
        visibility=config.visibility,
        beacon_epoch_s=config.beacon_epoch_s,
        hold_s_max=config.hold_s,
        flash_hold_s_max=config.hold_flash_s,
        reply_receipt_hold_s_max=config.hold_receipt_s,
        bulk_routing=config.bulk_routing,
        bluetooth_bulk_after_s=config.bluetooth_bulk_after_s,
        proxies=config.proxies,
        is_direct=config.direct,
        is_metered=config.metered,
        limits=tuple(map(_limit, config.limit)),
        patience_s=config.wire_patience_s,
        batch_s=config.batch_s,
        flash_batch_s=config.batch_flash_s,
    )


def _limit(one: Limit) -> RouteLimit:
    return RouteLimit(
        kind=one.kind,
        where=one.where,
        bytes_per_day=int(one.mb_per_day * 1_000_000),
        s_per_hour=one.minutes_per_hour * 60,
    )


def _key_start(digits: str) -> bytes:
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _impossible(config: Config) -> Sequence[tuple[str, str]]:
    """Return what types alone do not catch, as (problem, key)."""
    problems = [
        (f"may not contain {word!r}, which tells what it is for", key)
        for key in ("service_type", "process_title", "bluetooth_alias")
        for word in TELLING_WORDS
        if word in getattr(config, key).lower()
    ]
    if not re.fullmatch(r"_[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?\._tcp", config.service_type):
        problems.append(("must look like _name._tcp (RFC 6763, section 7)", "service_type"))
    problems += [
        ("must be printable", key)
        for key in ("process_title", "bluetooth_alias")
        if not getattr(config, key).isprintable()
    ]
    for address in config.addresses:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            problems.append(("must hold IP addresses only", "addresses"))
    for index, proxy in enumerate(config.proxies):
        if not (_is_where(proxy) and _is_number(proxy)):
            problems.append(
                ("must be number:port: nobody is asked for a name", f"proxies[{index}]")
            )
    ports = (config.port, *config.extra_ports)
    problems += [
        (f"names port {port}, which is named before", f"extra_ports[{index}]")
        for index, port in enumerate(config.extra_ports)
        if port in ports[: index + 1]
    ]
    problems += [
        ("limits nothing: give mb_per_day, minutes_per_hour or both", f"limit[{index}]")
        for index, limit in enumerate(config.limit)
        if not (limit.mb_per_day or limit.minutes_per_hour)
    ]
    problems += [
        ("names no host", f"drop[{index}].url")
        for index, place in enumerate(config.drop)
        if not _has_host(place.url)
    ]
    for index, neighbour in enumerate(config.neighbour):
        if not _is_where(neighbour.at):
            problems.append(
                ("must be host:port, an IPv6 address in brackets", f"neighbour[{index}].at")
            )
        if not re.fullmatch(r"[0-9a-f]+", neighbour.relay):
            problems.append(("must be lower case hexadecimal", f"neighbour[{index}].relay"))
    return problems


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_number(where: str) -> bool:
    try:
        ipaddress.ip_address(where.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    return True


def _is_where(text: str) -> bool:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535):
        return False
    if host.startswith("[") and host.endswith("]"):
        try:
            return ipaddress.ip_address(host[1:-1]).version == 6
        except ValueError:
            return False
    return re.fullmatch(r"[A-Za-z0-9._-]+", host) is not None


def _locate(message: str) -> tuple[str, str]:
    """Split msgspec's message into what is wrong and the key it is about."""
    problem, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL)
    if unknown:
        return "is not a key that is known", f"{path}.{unknown[1]}".lstrip(".")
    missing = re.fullmatch(r"Object missing required field `(.*)`", problem)
    if missing:
        return "is missing", f"{path}.{missing[1]}".lstrip(".")
    return f"is wrong: {problem[:1].lower()}{problem[1:]}", path


def _line_of(text: str, key: str) -> int | None:
    """Return the line on which `key` (``port``, ``neighbour[1].at``) is plainly set, if any."""
    table, _, name = re.sub(r"\[(?:\d+|\.\.\.)\]$", "", key).rpartition(".")
    wanted, _, index = table.partition("[")
    here, seen = "", -1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line)
        if header:
            here = header[1]
            seen += here == wanted
            if here == name and not wanted:
                return number
            continue
        is_here = here == wanted and (not index or index.rstrip("]") in (str(seen), "..."))
        if is_here and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
            return number
    return None


def _refused(path: Path, problem: str, *, key: str = "", line: int | None = None) -> Refusal:
    what = f"The configuration file {path.name} {problem}."
    if key:
        place = "" if line is None else f" (line {line})"
        what = f"The key {key!r} in {path.name}{place} {problem}."
    return Refusal(
        "configuration",
        what=what,
        meaning="Nothing was started, so that no wish of yours is silently ignored.",
        remedy=f"Mend {path} and start again; docs/configuration.md lists every key.",
    )
