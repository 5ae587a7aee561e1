"""A small internet for end-to-end tests: a router between machines that share no network.

Machine n has the address 10.88.n.2 behind the router's 10.88.n.1, on an interface
of its own (`wan0`) that is plugged in by `join` and pulled out by `leave`.  What
happens to packets in between is the router's to decide: `rate` limits a cable,
`rule` adds what nftables is to do.  Nothing here can reach the real internet.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.world import Machine, World, run

TABLE = "inet censor"


class Internet:
    """The router, and the cables into it.  It goes when `close` is called."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._odd: list[subprocess.Popen[bytes]] = []
        self._folders: list[Path] = []
        self.router = f"{world.prefix}net"
        run("ip", "netns", "add", self.router)
        run("ip", "-n", self.router, "link", "set", "lo", "up")
        self.inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.nft("add table inet censor")
        for chain, hook in (("pass", "forward"), ("here", "input")):
            self.nft(f"add chain {TABLE} {chain} {{ type filter hook {hook} priority 0; }}")
        self.nft(f"add chain {TABLE} turn {{ type nat hook prerouting priority -100; }}")

    def inside(self, *words: str) -> str:
        """Run something at the router and return what it printed."""
        return run("ip", "netns", "exec", self.router, *words).stdout

    def nft(self, words: str) -> None:
        """Give nftables one command."""
        self.inside("nft", words)

    def address(self, machine: Machine) -> str:
        """Return where a machine is reached."""
        return f"10.88.{machine.number}.2"

    def join(self, machine: Machine, *, kbit: int | None = None) -> None:
        """Plug a machine in, at a rate perhaps."""
        near, n = f"r{machine.number}", machine.number
        run("ip", "link", "add", near, "netns", self.router, "type", "veth",
            "peer", "name", "wan0", "netns", machine.namespace)  # fmt: skip
        run("ip", "-n", self.router, "address", "add", f"10.88.{n}.1/24", "dev", near)
        run("ip", "-n", self.router, "link", "set", near, "up")
        run("ip", "-n", machine.namespace, "address", "add", f"10.88.{n}.2/24", "dev", "wan0")
        if kbit is not None:
            for namespace, cable in ((self.router, near), (machine.namespace, "wan0")):
                run("tc", "-n", namespace, "qdisc", "add", "dev", cable, "root", "tbf",
                    "rate", f"{kbit}kbit", "burst", "4kb", "latency", "2s")  # fmt: skip
        run("ip", "-n", machine.namespace, "link", "set", "wan0", "up")
        run("ip", "-n", machine.namespace, "route", "add", "default", "via", f"10.88.{n}.1")

    def gives(self, machine: Machine, address: str) -> None:
        """Let a machine that is plugged in be reached by another address too."""
        run("ip", "-n", machine.namespace, "address", "add", f"{address}/32", "dev", "wan0")
        via = ("via", self.address(machine), "dev", f"r{machine.number}")
        run("ip", "-n", self.router, "route", "add", f"{address}/32", *via)

    def leave(self, machine: Machine) -> None:
        """Pull a machine's cable out."""
        run("ip", "-n", self.router, "link", "delete", f"r{machine.number}", check=False)

    def censor(self, *rules: str) -> None:
        """Let these, and nothing else, happen to what is passed on; none: all passes."""
        self.nft(f"flush chain {TABLE} pass")
        self.nft(f"flush chain {TABLE} turn")
        for rule in rules:
            chain = "turn" if "dnat" in rule or "redirect" in rule else "pass"
            self.nft(f"add rule {TABLE} {chain} {rule}")

    @property
    def within(self) -> tuple[str, ...]:
        """What a command begins with that is to run at the router."""
        return ("ip", "netns", "exec", self.router)

    def run(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a program at the router; it ends with the internet."""
        program = subprocess.Popen([*self.within, *words], stdout=subprocess.PIPE)
        self._odd.append(program)
        return program

    def odd(self, *words: str) -> None:
        """Run one of `tests.e2e.odd_servers` at the router."""
        program = self.run(sys.executable, "-m", "tests.e2e.odd_servers", *words)
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"

    def resolver(self, machine: Machine) -> None:
        """Let a machine ask the router for names; see ip-netns(8)."""
        self._resolves(machine.namespace, f"10.88.{machine.number}.1")

    def resolves_itself(self) -> None:
        """Let what runs at the router ask there for names."""
        self._resolves(self.router, "127.0.0.1")

    def _resolves(self, namespace: str, server: str) -> None:
        folder = Path("/etc/netns") / namespace
        folder.mkdir(parents=True)
        self._folders.append(folder)
        words = f"nameserver {server}\noptions timeout:1 attempts:2\n"
        (folder / "resolv.conf").write_text(words)

    @contextmanager
    def capture(self, machine: Machine, to: Path) -> Iterator[None]:
        """Record every packet at a machine's cable into the internet."""
        recorder = subprocess.Popen(
            ["ip", "netns", "exec", machine.namespace, "tcpdump", "-i", "wan0", "-s", "0", "-U",
             "--immediate-mode", "-w", str(to)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert recorder.stderr is not None
        recorder.stderr.readline()
        try:
            yield
        finally:
            recorder.terminate()
            recorder.wait(timeout=10)
            recorder.stderr.close()

    def close(self) -> None:
        """Take the router away, and all that ran there."""
        for program in self._odd:
            program.kill()
            program.wait(timeout=10)
            assert program.stdout is not None
            program.stdout.close()
        for folder in self._folders:
            shutil.rmtree(folder)
        run("ip", "netns", "delete", self.router, check=False)


@contextmanager
def open_internet(world: World) -> Iterator[Internet]:
    """Make an internet beside a world's networks, and take it away afterwards."""
    internet = Internet(world)
    try:
        yield internet
    finally:
        internet.close()
