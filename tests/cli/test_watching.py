"""`status --watch`: events for a script, a view for a person, lines for a file."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from meshnews.control.fact import (
    DispatchState,
    DispatchStatus,
    LinkStatus,
    PartStatus,
    Topic,
    Visibility,
)
from meshnews.control.reply import Changed, DispatchNews, Done, Event, NeighbourNews, Status
from meshnews.control.request import Follow, StatusRequest
from meshnews_cli.live import Area
from meshnews_cli.watching import View, is_done
from meshnewsd.control.server import Emit, Handler
from meshnewsd.control.wire import HungUp
from tests.cli import examples, schema
from tests.cli.conftest import RunCommand, StartDaemon
from tests.cli.screen import Terminal

HELD = examples.STATUS.dispatches[2]
RECEIVED = examples.STATUS.dispatches[3]
PART = PartStatus(name="video.mp4", size=20_000_000, pieces=307, carried=0, received=0)
MOVING = msgspec.structs.replace(
    examples.STATUS.dispatches[1],
    id="b3" * 32,
    attachments=1,
    attachments_received=0,
    parts=(PART,),
)


def link(number: int = 1, **more: object) -> LinkStatus:
    seen = msgspec.structs.asdict(examples.NEIGHBOURS.neighbours[0])
    facts = {
        "link": number,
        "sent_per_s": None,
        "received_per_s": None,
        "to_send": 0,
        "to_receive": 0,
        "compared": True,
    }
    return LinkStatus(**{**seen, **facts, **more})


def near(*links: LinkStatus) -> NeighbourNews:
    return NeighbourNews(visibility=Visibility.VEILED, neighbours=links)


def moved(carried: int, received: int = 0) -> DispatchStatus:
    part = msgspec.structs.replace(PART, carried=carried, received=received)
    return msgspec.structs.replace(MOVING, parts=(part,))


def telling(*events: Event) -> Handler:
    async def follow(request: Follow, descriptors: Sequence[int], emit: Emit) -> Done:
        for event in events:
            await emit(event)
        return Done()

    return follow


# For a script


def test_each_event_is_one_line_as_documented(daemon: StartDaemon, cli: RunCommand) -> None:
    fake = daemon(
        {
            Follow: telling(
                *(DispatchNews(one) for one in examples.STATUS.dispatches),
                DispatchNews(MOVING),
                near(),
                near(link(), link(2, sent_per_s=5, received_per_s=0, compared=False)),
                Changed(Topic.INBOX),
            )
        }
    )
    outcome = cli("status", "7K2M", "--watch", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.isascii()
    events = [json.loads(line) for line in outcome.out.splitlines()]
    for event in events:
        schema.check(event)
    kinds = [event["event"] for event in events]
    assert kinds == ["dispatch"] * (len(examples.STATUS.dispatches) + 1) + ["neighbours"] * 2
    assert fake.asked_for(Follow) == [Follow("7k2m")]


def test_the_fields_of_before_still_stand_in_the_line_of_a_dispatch(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    daemon({Follow: telling(DispatchNews(RECEIVED)), StatusRequest: Status(dispatches=(RECEIVED,))})
    (listed,) = json.loads(cli("status", "--json").out)["dispatches"]
    event = json.loads(cli("status", "--watch", "--json").out)
    assert event == {"event": "dispatch", **listed}


# For a file or a pipe


def test_a_dispatch_is_printed_when_its_sentence_changes_and_not_with_each_piece(
    daemon: StartDaemon, cli: RunCommand
) -> None:
    received = msgspec.structs.replace(
        moved(307, 307), state=DispatchState.RECEIVED, attachments_received=1
    )
    daemon(
        {
            Follow: telling(
                *(DispatchNews(moved(carried)) for carried in range(0, 300, 10)),
                near(link()),
                DispatchNews(received),
            )
        }
    )
    outcome = cli("status", "--watch")
    heads = [line for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert len(heads) == 2
    assert "carried" in heads[0]
    assert "received" in heads[1]
    assert "1. video.mp4: 307 of 307 carried, 307 received." in outcome.out
    assert "\x1b" not in outcome.out + outcome.err


def test_of_one_dispatch_status_tells_each_attachment(daemon: StartDaemon, cli: RunCommand) -> None:
    daemon({StatusRequest: Status(dispatches=(moved(120, 3),))})
    out = cli("status", "b3b3").out
    assert out.startswith("b3b3b3b3b3  carried")
    assert out.endswith("  1. video.mp4: 120 of 307 carried, 3 received.\n")
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_daemon_that_tells_nothing_more_is_told(daemon: StartDaemon, cli: RunCommand) -> None:
    async def hang_up(request: Follow, descriptors: Sequence[int], emit: Emit) -> Done:
        await emit(DispatchNews(MOVING))
        raise HungUp

    daemon({Follow: hang_up})
    outcome = cli("status", "--watch", "--json")
    assert outcome.status == 1
    assert json.loads(outcome.out)["id"] == MOVING.id
    assert json.loads(outcome.err)["refused"]["code"] == "watch-ended"


# For a person


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "24")
    return Terminal()


@pytest.fixture
def view(terminal: Terminal) -> View:
    return View(Area(terminal))


def test_a_person_sees_what_is_on_its_way_and_what_goes_where(
    terminal: Terminal, view: View
) -> None:
    view.hear(DispatchNews(HELD))
    view.hear(DispatchNews(RECEIVED))
    view.hear(DispatchNews(moved(120, 3)))
    assert terminal.getvalue() == "", "nothing is drawn before all was told once"
    view.hear(near(link(sent_per_s=1_500_000, received_per_s=0, to_send=5_000_000)))
    shown = terminal.screen.text.split("\n")
    assert shown[0] == "b3b3b3b3b3  carried      routine  сход, text carried by 1 other"
    assert shown[1].startswith("  video.mp4")
    assert shown[1].endswith("120 of 307 carried, 3 received")
    assert shown[2] == "c9t41wpz    filed        urgent   hospital"
    assert shown[3] == "  held back until 2026-11-21 14:31 +06:00"
    assert shown[4:6] == ["1 dispatch received in full.", ""]
    assert shown[6:] == [
        "relay bakery, lan, since 2026-11-21 14:02 +06:00",
        "  out  840 bytes; 1.5 MB a second now; about 5.0 MB more asked for",
        "  in   12.1 MB; at rest",
        "Ctrl-C ends this view; nothing else ends with it.",
    ]
    assert not terminal.screen.overrun


def test_of_a_link_only_what_is_known_is_said(terminal: Terminal, view: View) -> None:
    view.hear(near(link(compared=False)))
    assert "  out  840 bytes\n  in   12.1 MB; still comparing\n" in terminal.screen.text
    view.hear(near(link(to_receive=7_000_000, compared=False, received_per_s=10)))
    line = "in   12.1 MB; 10 bytes a second now; up to 7.0 MB to come; still comparing"
    assert line in terminal.screen.text
    assert "%" not in terminal.screen.text
    assert " left" not in terminal.screen.text


def test_the_newest_stands_first_and_nothing_changes_places(terminal: Terminal, view: View) -> None:
    for event in (DispatchNews(MOVING), DispatchNews(HELD), near(), DispatchNews(moved(5))):
        view.hear(event)
    assert terminal.screen.text.startswith("c9t41wpz")
    assert "5 of 307 carried" in terminal.screen.text
    newest = msgspec.structs.replace(HELD, id="aa" * 32)
    view.hear(DispatchNews(newest))
    assert terminal.screen.text.startswith("aaaaaaaaaa")


def test_a_small_terminal_shows_the_latest_and_says_how_much_it_leaves_out(
    terminal: Terminal, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINES", "14")
    for number in range(100):
        view.hear(DispatchNews(msgspec.structs.replace(MOVING, id=f"{number:064x}")))
    view.hear(near(*(link(number) for number in range(20))))
    shown = terminal.screen.text.split("\n")
    assert len(shown) <= 13
    assert shown[0].startswith("0000000000")
    assert "98 others not received in full." in shown
    assert shown[-1].startswith("Ctrl-C")


def test_with_nothing_to_show_that_is_said(terminal: Terminal, view: View) -> None:
    view.hear(near())
    assert terminal.screen.text.split("\n") == [
        "Nothing has been filed here.",
        "",
        "No other machine has a link to this one now.",
        "Ctrl-C ends this view; nothing else ends with it.",
    ]
    view.close()
    assert terminal.screen.text == ""


@pytest.mark.parametrize(
    ("state", "attachments_received", "done"),
    [
        (DispatchState.CARRIED, 1, False),
        (DispatchState.RECEIVED, 0, False),
        (DispatchState.RECEIVED, 1, True),
        (DispatchState.READ, 1, True),
    ],
)
def test_a_dispatch_is_done_when_the_desk_has_all_of_it(
    state: DispatchState, attachments_received: int, done: bool
) -> None:
    dispatch = msgspec.structs.replace(
        MOVING, state=state, attachments_received=attachments_received
    )
    assert is_done(dispatch) is done
