"""What the doctor finds about recalls: of this home, and of others whose keys were replaced."""

from meshnews.control.finding import Check, Finding, Level
from meshnews.node.node import Node
from meshnews.node.office.recalling import holders, is_own_recalled
from meshnews.node.records.former import former_own_keys
from meshnews.node.records.keyring import Keyring


def of_recalls(node: Node) -> list[Finding]:
    """Return what there is to tell: nothing where nobody was recalled."""
    home, findings = node.home, list[Finding]()
    if is_own_recalled(home):
        findings.append(Finding(check=Check.RECALLED, level=Level.BAD))
    former = len(former_own_keys(home))
    if former:
        findings.append(Finding(check=Check.FORMER_KEY, level=Level.WARNING, number=former))
    if home.identity.is_desk and home.vault is not None and any(Keyring(home).all()):
        owed = len(node.work.turning.unconfirmed())
        others = sum(not (one.is_own or one.is_recalled) for one in holders(home))
        level = Level.WARNING if owed else Level.GOOD
        findings.append(Finding(check=Check.NEW_KEYS, level=level, number=owed, of=others))
    return findings
