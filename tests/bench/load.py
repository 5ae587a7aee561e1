"""Bundles to carry: sealed texts and an attachment, put straight into a relay's store."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from meshnews.bundle.chunks import TreeWriter
from meshnews.bundle.format import Bundle
from meshnews.bundle.postage import ByPostage, issue
from meshnews.bundle.seal import Reader, draft, seal
from meshnews.bundle.statement import FIRST_LINK, Inner, Kind, Priority, Role, write
from meshnews.crypto.keys import Ed25519Secret, PostageKey, Prekey, X25519Secret
from meshnews.ids import Day, DeskId, KeyRef, TrafficClass
from meshnews.limits import CHUNK_BYTES, POSTAGE_IDS_MAX
from meshnews.node.node import Node
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.settings import Settings
from meshnewsd.compose import open_home
from meshnewsd.platform.clock import ClockTrust, MachineClock
from meshnewsd.platform.entropy import OsEntropy

LIFE = 14
SPREAD_DAYS = 6
BATCH = 500
TEXT_BYTES = 500


class Press:
    """Seals what a desk's reporters would, franked by its own issuer."""

    def __init__(self, issuer: Ed25519Secret, today: Day) -> None:
        self.entropy = OsEntropy()
        self._issuer = issuer
        self._today = Day(today - today % 2)
        self._byline = Ed25519Secret(os.urandom(32))
        self._secret = X25519Secret(os.urandom(32))
        self._desk = DeskId(os.urandom(16))
        self._purses: dict[TrafficClass, list[PostageKey]] = {}

    def _franker(self, traffic: TrafficClass, n: int) -> ByPostage:
        purse = self._purses.setdefault(traffic, [])
        if not purse:
            made = issue(
                self._issuer,
                self.entropy,
                expiry_day=Day(self._today + 60),
                traffic=traffic,
                n=n,
                count=64 // n,
            )
            purse += [key for key in made for _ in range(n)]
        return ByPostage(purse.pop())

    def text(self, number: int, traffic: TrafficClass = TrafficClass.ROUTINE) -> Bundle:
        """Return one sealed text of 500 bytes in a bundle of 2,048."""
        prekey = Prekey(KeyRef(os.urandom(8)), self._secret.public, os.urandom(32))
        envelope = draft(self.entropy)
        payload = write(
            Inner(Kind.DISPATCH, "bench", Priority.ROUTINE, text=f"{number:08d} " + "x" * 491),
            signer=self._byline,
            pc=envelope.pc,
            desk=self._desk,
            seq=number,
            prev=FIRST_LINK,
            claimed_time=0,
        )
        return seal(
            payload,
            [Reader(self._secret.public, prekey)],
            traffic=traffic,
            day=Day(self._today - 2 * (number % SPREAD_DAYS)),
            entropy=self.entropy,
            franker=self._franker(traffic, 1),
            envelope=envelope,
        ).bundle

    def attachment(self, size: int) -> Iterator[Bundle]:
        """Yield the bundles of one file of noise."""
        writer = TreeWriter(
            os.urandom(32),
            size=size,
            role=Role.FILE,
            life=LIFE,
            day=self._today,
            franker=lambda traffic: self._franker(traffic, POSTAGE_IDS_MAX),
        )
        left = size
        while left:
            piece = os.urandom(min(left, CHUNK_BYTES))
            left -= len(piece)
            yield from writer.add(piece)
        yield from writer.finish()[0]


def issuer_of(editor_home: Path, passphrase: str) -> Ed25519Secret:
    """Return the postage issuer of an editor's home that no daemon has open."""
    with contextlib.closing(open_home(editor_home, passphrase=passphrase)) as opened:
        assert opened.store.vault is not None
        issuer = DeskKeys(opened.store.vault, OsEntropy()).issuer()
        assert issuer is not None
        return issuer


def put(home: Path, bundles: Iterator[Bundle]) -> int:
    """Keep bundles in a relay's home that no daemon has open; return their bytes."""
    total = 0
    with contextlib.closing(open_home(home, passphrase=None)) as opened:
        store = opened.store
        clock = MachineClock(ClockTrust("trusted"))()
        node = opened.transact(
            lambda: Node(carry=store.carry, vault=None, entropy=OsEntropy(), settings=Settings())
        )
        opened.transact(lambda: node.at(clock))
        pending: list[Bundle] = []

        def flush() -> None:
            for bundle in pending:
                node.home.custody.keep_own(
                    bundle, node.home.moment, release_after_s=0.0, pinned=False
                )

        for bundle in bundles:
            pending.append(bundle)
            total += bundle.size
            if len(pending) == BATCH:
                opened.transact(flush)
                pending.clear()
        opened.transact(flush)
    return total


def count(home: Path) -> int:
    """Return how many bundles a relay's home holds."""
    with contextlib.closing(open_home(home, passphrase=None)) as opened:
        return opened.store.carry.count_elements()
