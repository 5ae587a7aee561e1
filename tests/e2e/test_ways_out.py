"""Ways out other than a plain call: a real proxy, a second collector, a real WebDAV server."""

import shutil
import time
from pathlib import Path

import pytest

from tests.contract.drop_servers import PASSWORD, USER, has_webdav, nginx
from tests.e2e.internet import Internet, open_internet
from tests.e2e.newsroom import Newsroom
from tests.e2e.operating_page import promised
from tests.e2e.test_markers import assert_clean
from tests.e2e.test_there_and_back import complete, jpeg
from tests.e2e.test_wire import states, wire
from tests.e2e.world import (
    Machine,
    World,
    files_under,
    find_marker,
    open_world,
    run,
    wait_until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAME = "collector.example.org"
MARKERS = {
    "text": "Алаңда атыс естілді, екі адам жараланды".encode(),
    "slug": b"hospital-roof-7431",
    "byline": b"reporter-under-a-name",
}
WITHIN_S = 60.0
PICTURE_BYTES = 600_000


def desk(world: World, internet: Internet, collectors: int = 1) -> tuple[Newsroom, Machine]:
    """Return a desk whose editor and collectors are on the internet."""
    newsroom = Newsroom(world)
    editor = newsroom.add("editor-1", "editor")
    newsroom.found(editor)
    internet.join(editor)
    for number in range(1, collectors + 1):
        collector = newsroom.add(f"collector-{number}", "relay", endpoint=True)
        newsroom.enrol(editor, collector)
        internet.join(collector)
    return newsroom, editor


def publish(editor: Machine, collector: Machine, host: str, *, is_tls: bool = False) -> None:
    """Let an editor publish where a collector is; for TLS the collector runs."""
    words = ["--port", "7117"]
    if is_tls:
        pin = wait_until(lambda: wire(collector)["certificate"], within_s=20, what="a certificate")
        words = ["--port", "443", "--tls", pin, "--sni", "www.example.org"]
    editor.cli("desk", "endpoint", "add", collector.name, host, *words)


def files_marked(machine: Machine, *more: str) -> None:
    """File a flash whose words are looked for afterwards."""
    machine.cli("file", "-", "--slug", MARKERS["slug"].decode(), "--flash", "--now", *more,
                stdin=MARKERS["text"].decode())  # fmt: skip


@pytest.mark.skipif(shutil.which("microsocks") is None, reason="needs microsocks")
def test_through_a_real_proxy_no_name_is_asked_for_here_and_no_marker_seen(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom, editor = desk(world, internet)
        collector = world.machines["collector-1"]
        publish(editor, collector, NAME)
        reporter = newsroom.add(MARKERS["byline"].decode(), "reporter")
        newsroom.enrol(editor, reporter)
        internet.join(reporter)
        internet.odd("dns", internet.address(collector))
        internet.resolver(reporter)
        internet.resolver(editor)
        internet.resolves_itself()
        proxy = f"10.88.{reporter.number}.1"
        internet.run("microsocks", "-i", proxy, "-p", "1080")
        near = f"iifname r{reporter.number} ip daddr {internet.address(collector)}"
        internet.censor(f"{near} drop")
        reporter.settings |= {"proxies": f'["{proxy}:1080"]', "direct": "false"}
        collector.start()
        editor.start()
        wait_until(lambda: wire(editor)["up_since"], within_s=30, what="the editor is connected")
        capture = tmp_path / "gateway.pcap"
        with internet.capture(reporter, capture):
            reporter.start()
            files_marked(reporter)
            wait_until(lambda: states(reporter) == ["received"], within_s=WITHIN_S, what="received")
            ways = {r["kind"] for r in wire(reporter)["routes"] if r["state"] == "up"}
            assert ways == {"socks"}
        collector.stop()
        asked = run("tcpdump", "-n", "-r", str(capture), "udp port 53 or tcp port 53").stdout
        assert asked == ""
        assert run("tcpdump", "-n", "-r", str(capture), "tcp port 1080").stdout
        seen = capture.read_bytes()
        disk = b"".join(file.read_bytes() for file in files_under(collector.home))
        for name, marker in MARKERS.items():
            assert marker not in seen, name
            assert marker not in disk, name


@pytest.mark.parametrize("is_tls", [False, True], ids=["tcp", "tls"])
def test_neither_a_capture_at_the_gateway_nor_the_collectors_disk_holds_a_marker(
    tmp_path: Path, *, is_tls: bool
) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom, editor = desk(world, internet)
        collector = world.machines["collector-1"]
        if is_tls:
            collector.settings["tls_ports"] = "[443]"
        collector.start()
        publish(editor, collector, internet.address(collector), is_tls=is_tls)
        reporter = newsroom.add(MARKERS["byline"].decode(), "reporter")
        newsroom.enrol(editor, reporter)
        picture = jpeg(tmp_path / "zhelmaya4417.jpg", PICTURE_BYTES)
        capture = tmp_path / "gateway.pcap"
        planted = MARKERS | {
            "desk": b"Desk of tests",
            "file name": b"zhelmaya4417.jpg",
            "picture": picture[5000:5064],
            "picture, later": picture[-3000:-2936],
        }
        editor.start()
        internet.join(reporter)
        with internet.capture(reporter, capture):
            reporter.start()
            files_marked(reporter, "--attach", str(tmp_path / "zhelmaya4417.jpg"))
            wait_until(lambda: complete(editor), within_s=WITHIN_S, what="all is at the desk")
            wait_until(lambda: states(reporter) == ["received"], within_s=WITHIN_S, what="received")
        assert_clean(collector, planted)
        collector.stop()
        assert_clean(collector, planted)
        seen = capture.read_bytes()
        assert len(seen) > len(picture), "the capture saw the picture pass"
        assert find_marker(planted, seen) == []


def test_a_collector_that_takes_and_returns_nothing_is_not_relied_on(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom, editor = desk(world, internet, collectors=2)
        first, second = world.machines["collector-1"], world.machines["collector-2"]
        publish(editor, first, internet.address(first))
        publish(editor, second, internet.address(second))
        reporter = newsroom.add("reporter-1", "reporter")
        newsroom.enrol(editor, reporter)
        # Nobody hears of what the first has taken, neither editor nor the other collector.
        lost = f"iifname != r{reporter.number} ip daddr {internet.address(first)} drop"
        internet.censor(
            lost, f"iifname r{reporter.number} ip daddr {internet.address(second)} drop"
        )
        internet.join(reporter)
        reporter.settings |= {"wire_patience_s": "15"}
        for machine in (first, second, editor, reporter):
            machine.start()
        files_marked(reporter)
        wait_until(lambda: states(reporter) == ["on the wire"], within_s=40, what="on the wire")
        there = f"{internet.address(first)}:7117"
        wait_until(lambda: ways(reporter)[there] == "suspect", within_s=60, what="suspect")
        assert states(reporter) == ["on the wire"], "nobody has said received"
        said = " ".join(reporter.cli("wire").stdout.split())
        assert promised("a collector that takes everything and gives no receipts").search(said)
        internet.censor(lost)
        wait_until(lambda: states(reporter) == ["received"], within_s=WITHIN_S, what="received")
        assert ways(reporter)[there] == "suspect"
        assert ways(reporter)[f"{internet.address(second)}:7117"] == "up"


def ways(machine: Machine) -> dict[str, str]:
    """Return the state of each way, by where it leads."""
    return {route["where"]: route["state"] for route in wire(machine)["routes"]}


@pytest.mark.skipif(not has_webdav(), reason="needs nginx with dav-ext")
def test_by_a_drop_it_gets_out_where_no_collector_is_reached(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom, editor = desk(world, internet)
        collector = world.machines["collector-1"]
        publish(editor, collector, internet.address(collector))
        reporter = newsroom.add(MARKERS["byline"].decode(), "reporter")
        newsroom.enrol(editor, reporter)
        internet.join(reporter)
        internet.censor(f"iifname r{reporter.number} ip daddr {internet.address(collector)} drop")
        folder = tmp_path / "nginx"
        folder.mkdir()
        with nginx(folder, address=f"10.88.{reporter.number}.1", within=internet.within) as url:
            for machine in (collector, reporter):
                machine.settings |= {"drop": place(url)}
            for machine in (collector, editor, reporter):
                machine.start()
            files_marked(reporter)
            began = time.monotonic()
            wait_until(
                lambda: states(reporter) == ["received"],
                within_s=WITHIN_S,
                what=f"received\n{collector.tail()}\n{reporter.tail()}",
            )
            print(f"by a drop: received after {time.monotonic() - began:.1f} s")
            (shown,) = wire(reporter)["drops"]
            assert (shown["state"], shown["where"], shown["proxy"]) == ("visited", url, "")
            assert shown["proven_at"] is not None
            assert shown["written"] + shown["read"] + shown["objects"] > 0
            disk = b"".join(file.read_bytes() for file in files_under(folder / "files"))
            names = " ".join(file.name for file in files_under(folder / "files"))
        for name, marker in MARKERS.items():
            assert marker not in disk, name
            assert marker.decode() not in names, name


@pytest.mark.skipif(
    not has_webdav() or shutil.which("microsocks") is None,
    reason="needs nginx with dav-ext, and microsocks",
)
def test_to_a_drop_through_a_real_proxy_no_name_is_asked_for_here(tmp_path: Path) -> None:
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom, editor = desk(world, internet)
        collector = world.machines["collector-1"]
        publish(editor, collector, internet.address(collector))
        reporter = newsroom.add("reporter-1", "reporter")
        newsroom.enrol(editor, reporter)
        internet.join(reporter)
        # All that the router lets through comes from itself, where the proxy is.
        internet.censor(f"iifname r{reporter.number} drop")
        internet.odd("dns", internet.address(collector).rpartition(".")[0] + ".1")
        internet.resolver(reporter)
        internet.resolves_itself()
        near = f"10.88.{reporter.number}.1"
        internet.run("microsocks", "-i", near, "-p", "1080")
        folder, capture = tmp_path / "nginx", tmp_path / "gateway.pcap"
        folder.mkdir()
        far = f"10.88.{collector.number}.1"
        refuse(collector, far)
        with nginx(folder, address=far, within=internet.within) as url:
            named = url.replace(far, "files.example.org")
            reporter.settings |= {"drop": place(named), "proxies": f'["{near}:1080"]'}
            reporter.settings |= {"direct": "false"}
            collector.settings |= {"drop": place(url)}
            with internet.capture(reporter, capture):
                for machine in (collector, editor, reporter):
                    machine.start()
                files_marked(reporter)
                wait_until(
                    lambda: states(reporter) == ["received"],
                    within_s=WITHIN_S,
                    what=f"received\n{collector.tail()}\n{reporter.tail()}",
                )
                (shown,) = wire(reporter)["drops"]
            assert (shown["where"], shown["proxy"]) == (named, f"{near}:1080")
            assert far not in reporter.cli("wire").stdout
        asked = run("tcpdump", "-n", "-r", str(capture), "udp port 53 or tcp port 53").stdout
        assert asked == ""
        others = run("tcpdump", "-n", "-r", str(capture), f"ip and not host {near}").stdout
        assert "10.88" not in others, "nobody else was called"
        seen = capture.read_bytes()
        assert b"files.example.org" in seen, "the name went to the proxy"
        for name, marker in MARKERS.items():
            assert marker not in seen, name


def refuse(machine: Machine, source: str) -> None:
    """Let a machine hear nothing of what is sent to its port from one address."""
    rules = (
        "add table inet wall; "
        "add chain inet wall here { type filter hook input priority 0; }; "
        f"add rule inet wall here ip saddr {source} tcp dport 7117 drop"
    )
    run("ip", "netns", "exec", machine.namespace, "nft", rules)


def place(url: str) -> str:
    """Return the words of a configuration that name one drop, visited often."""
    account = f'user = "{USER}", password = "{PASSWORD}"'
    return f'[{{kind = "webdav", url = "{url}", {account}, every_s = 5.0}}]'
