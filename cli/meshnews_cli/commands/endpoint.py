"""``meshnews desk endpoint``: where the desk's collectors can be called."""

from typing import TYPE_CHECKING

import click

from meshnews_cli.identify import name_of
from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.desk_reply import EndpointListing

_COLLECTOR = click.argument("collector")
_HOST = click.argument("host")
_PORT = click.IntRange(1, 65535)


@click.group()
def endpoint() -> None:
    """Publish where the desk's collectors can be called."""


@endpoint.command(cls=Command)
@_COLLECTOR
@_HOST
@click.option(
    "--port", "ports", type=_PORT, multiple=True, required=True, help="In the order to be tried."
)
@click.option("--tls", "pin", metavar="SHA256", help="It is inside TLS, and shows this there.")
@click.option("--sni", metavar="NAME", default="", help="The name to ask for inside TLS.")
@with_access
def add(
    access: Access, collector: str, host: str, *, ports: tuple[int, ...], pin: str | None, sni: str
) -> None:
    """Publish that COLLECTOR can be called at HOST.

    HOST is a name or an IP address; give both, each once: names can be made to
    lie, numbers change. SHA256 is what `meshnews wire` shows on the collector.
    """
    from meshnews.control.desk_reply import EndpointListing
    from meshnews.control.desk_request import DeskEndpointAdd

    asked = DeskEndpointAdd(
        collector=name_of(collector),
        host=host,
        ports=ports,
        pin=_pin_of(pin),
        server_name=sni,
    )
    with session(access, Needs.VAULT) as conversation:
        _show(access, conversation.connection.ask(asked, EndpointListing))


@endpoint.command(cls=Command)
@_COLLECTOR
@_HOST
@click.option("--port", type=_PORT, help="Only what names this port.")
@with_access
def remove(access: Access, collector: str, host: str, *, port: int | None) -> None:
    """Take back that COLLECTOR can be called at HOST."""
    from meshnews.control.desk_reply import EndpointListing
    from meshnews.control.desk_request import DeskEndpointRemove

    asked = DeskEndpointRemove(name_of(collector), host, port)
    with session(access, Needs.VAULT) as conversation:
        _show(access, conversation.connection.ask(asked, EndpointListing))


@endpoint.command("list", cls=Command)
@with_access
def list_all(access: Access) -> None:
    """Show what the desk publishes, in the order in which it is tried."""
    from meshnews.control.desk_reply import EndpointListing
    from meshnews.control.desk_request import DeskEndpointList

    with session(access, Needs.VAULT) as conversation:
        _show(access, conversation.connection.ask(DeskEndpointList(), EndpointListing))


def _pin_of(typed: str | None) -> bytes:
    if typed is None:
        return b""
    try:
        pin = bytes.fromhex(typed.replace(":", ""))
    except ValueError:
        pin = b""
    if len(pin) != 32:
        raise click.UsageError("--tls wants a SHA-256: 64 hexadecimal digits")
    return pin


def _show(access: Access, listing: "EndpointListing") -> None:
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, pad, row, say

    if access.as_json:
        click.echo(to_json(listing))
        return
    for each in listing.endpoints:
        ports = ", ".join(map(str, each.ports))
        how = "TLS" if each.tls else "TCP"
        ours = "" if each.ours else "  (published by another editor)"
        row(f"{pad(each.collector, 16)}  {pad(how, 3)}  {each.host}  {ports}{ours}")
        if each.tls:
            name = f", asked for as {each.server_name}" if each.server_name else ""
            row(f"{' ' * 18}{each.pin.hex()}{name}")
    if not listing.endpoints:
        say("No address of a collector is published.")
    note("It reaches everybody with the next contact, over any carrier.")
