"""A desk of real machines: homes made and enrolled by the command line, as people would."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.world import Machine, World, open_world

QUICK = {"hold_s": "0.0", "hold_flash_s": "0.0", "hold_receipt_s": "0.0",
         "batch_s": "5.0", "batch_flash_s": "5.0"}  # fmt: skip


@dataclass
class Newsroom:
    """The machines of one desk, and how each relay's key begins."""

    world: World
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.world.folder

    def add(self, name: str, role: str, *, endpoint: bool = False) -> Machine:
        """Make a home on a machine of its own."""
        machine = self.world.machine(name, **QUICK)
        machine.has_vault = role != "relay"
        words = ["init", "--role", role]
        if endpoint:
            words.append("--endpoint")
        if role != "relay":
            words += ["--passphrase-file", str(machine.passphrase_file)]
        machine.configure()
        machine.cli(*words, secret=False)
        return machine

    def found(self, editor: Machine) -> None:
        """Make a desk."""
        root = self.folder / "root"
        root.mkdir()
        editor.cli("desk", "create", "Desk of tests", "--root-folder", str(root),
                   "--root-passphrase-file", str(editor.passphrase_file))  # fmt: skip

    def request(self, joiner: Machine) -> Path:
        """Let a machine ask for a card."""
        file = self.folder / f"{joiner.name}.request"
        made = joiner.ask("enrol", "--request", str(file))
        if "key" in made:
            self.keys[joiner.name] = made["key"]
        return file

    def enrol(self, editor: Machine, joiner: Machine, *, near: tuple[str, ...] = ()) -> None:
        """Give a reporter or relay its card."""
        request, card = self.request(joiner), self.folder / f"{joiner.name}.card"
        kind = "--relay" if joiner.name in self.keys else "--byline"
        nearby = [word for name in near for word in ("--near", name)]
        editor.cli("desk", "card", str(request), kind, joiner.name, *nearby,
                   "-o", str(card), "--words-compared")  # fmt: skip
        joiner.cli("enrol", "--card", str(card), "--words-compared")

    def add_editor(self, editor: Machine, joiner: Machine) -> None:
        """Let another editor join, with the manifest signed by the root on its stick."""
        request = self.request(joiner)
        unsigned = self.folder / "manifest.unsigned"
        signed = self.folder / "manifest.signed"
        card = self.folder / f"{joiner.name}.card"
        editor.cli("desk", "editor", str(request), "-o", str(unsigned), "--words-compared")
        editor.cli("desk", "sign", str(unsigned), "--root-folder", str(self.folder / "root"),
                   "--root-passphrase-file", str(editor.passphrase_file),
                   "-o", str(signed))  # fmt: skip
        editor.cli("desk", "editor", str(request), "--signed", str(signed), "-o", str(card))
        joiner.cli("enrol", "--card", str(card), "--words-compared")

    def introduce(self, *machines: Machine) -> None:
        """Write relays' and collectors' addresses into configurations."""
        known = [m for m in self.world.machines.values() if m.name in self.keys]
        for machine in machines:
            machine.neighbours = [
                (other, self.keys[other.name]) for other in known if other is not machine
            ]
            machine.configure()


def small_desk(world: World) -> tuple[Newsroom, dict[str, Machine]]:
    """Return a desk of editor, collector, relay and reporter; no daemon runs yet."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    collector = newsroom.add("collector-1", "relay", endpoint=True)
    relay = newsroom.add("relay-1", "relay")
    reporter = newsroom.add("reporter-1", "reporter")
    for joiner in (collector, relay, reporter):
        newsroom.enrol(editor, joiner)
    newsroom.introduce(editor, collector, relay, reporter)
    return newsroom, {m.name: m for m in (editor, collector, relay, reporter)}


__all__ = ["Newsroom", "open_world", "small_desk"]
