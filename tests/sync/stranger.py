"""A peer that a test speaks for."""

import pytest

from meshnews.errors import PeerError
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.machine import SyncMachine, SyncState
from meshnews.sync.messages import Data, Group, Have, Hello, Message, Name
from meshnews.sync.salt import Salt
from tests.sync.sample import HELLO
from tests.sync.world import MOMENT, Node, Sample

SESSION = b"s" * 64


class Stranger:
    """A peer that a test speaks for, message by message."""

    def __init__(self, node: Node, *, dialler: bool = False) -> None:
        """Greet `node`, which is the answerer unless `dialler`."""
        self.node = node
        self.machine: SyncMachine = node.machine(dialler=dialler, session=SESSION)
        self.machine.start(MOMENT)
        hello = self.heard()[0]
        assert isinstance(hello, Hello)
        self.say(HELLO)
        nonces = (hello.nonce, HELLO.nonce) if dialler else (HELLO.nonce, hello.nonce)
        self.salt = Salt(session=SESSION, dialler_nonce=nonces[0], acceptor_nonce=nonces[1])

    def say(self, message: Message) -> list[object]:
        return list(self.machine.receive(encode_message(message), MOMENT))

    def heard(self) -> list[Message]:
        return [decode_message(body) for body in self.machine.pull(1 << 30, MOMENT)]

    def name(self, sample: Sample, *, size: int | None = None) -> list[Message]:
        """Name a bundle and return what the node says to it."""
        self.say(Have((Name(sample.ref, size or sample.bundle.size, acked=False),)))
        return self.heard()

    def data(self, sample: Sample, *, offset: int = 0, block: bytes | None = None) -> Data:
        ref = sample.ref
        body = sample.bundle.wire if block is None else block
        return Data(ref.traffic, ref.day, self.salt.position(ref.id), 900, offset, body)

    def group(self, *samples: Sample) -> tuple[Group, ...]:
        shorts = tuple([self.salt.position(sample.ref.id) for sample in samples])
        return (Group(samples[0].ref.traffic, samples[0].ref.day, shorts),)

    def refused(self, message: Message, why: type[PeerError]) -> None:
        with pytest.raises(why):
            self.say(message)
        assert self.machine.state is SyncState.ENDED
        assert not len(self.node.inflight)
