"""``meshnews doctor``: is this machine ready?"""

from typing import Final

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session

_MARKS: Final = {"good": "ok         ", "warning": "warning    ", "bad": "NOT READY  "}
_REMEDY: Final = "    to do: ".ljust(11)


@click.command(cls=Command)
@with_access
def doctor(access: Access) -> int:
    """Check that this machine is ready, and say what to do where it is not.

    Exit status 0 when nothing is marked NOT READY.
    """
    from meshnews.control.finding import Level
    from meshnews.control.reply import Diagnosis
    from meshnews.control.request import Doctor
    from meshnews_cli import complaint
    from meshnews_cli.findings import words_of
    from meshnews_cli.shape import shape_fields, to_json
    from meshnews_cli.terminal import row, say

    with session(access, Needs.VAULT) as conversation:
        diagnosis = conversation.connection.ask(Doctor(), Diagnosis)
    welcome = conversation.welcome
    is_ready = all(finding.level is not Level.BAD for finding in diagnosis.findings)
    said = [(finding, words_of(finding, access.home)) for finding in diagnosis.findings]
    if access.as_json:
        fields = {"home": str(access.home), "role": welcome.role, "endpoint": welcome.endpoint}
        findings = [
            {**shape_fields(finding), "what": words.what, "remedy": words.remedy}
            for finding, words in said
        ]
        click.echo(to_json({**fields, "ready": is_ready, "findings": findings}))
        return 0 if is_ready else 1
    kind = "collector" if welcome.role == "relay" and welcome.endpoint else welcome.role
    row(f"Home of a{'n' if kind == 'editor' else ''} {kind}: {access.home}")
    for finding, words in said:
        say(words.what, first=_MARKS[finding.level])
        if words.remedy:
            say(words.remedy, first=_REMEDY)
    if not is_ready:
        raise complaint.unhealthy()
    return 0
