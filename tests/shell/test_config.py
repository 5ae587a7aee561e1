from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.errors import Refusal
from meshnews.node.event import Address
from meshnews.node.settings import RouteLimit, StaticNeighbour, Visibility
from meshnewsd.config import Config, load_config, node_settings, parse_config

DROP = '\n[[drop]]\nkind = "s3"\nurl = "https://files.example/bucket"\nuser = "key"\n'
LIMIT = '\n[[limit]]\nkind = "tls"\nwhere = "192.0.2.1"\nmb_per_day = 1.5\nminutes_per_hour = 10\n'
NEIGHBOUR = '[[neighbour]]\nat = "192.0.2.7:4711"\nrelay = "a1b2c3d4"\n'

REFUSED = {
    "an unknown key": ("prot = 7117", "'prot'", 1),
    "an unknown table": ("port = 1\n[listen]\nport = 1", "'listen'", 2),
    "an unknown key of a neighbour": (NEIGHBOUR + "colour = 1", "'neighbour[0].colour'", 4),
    "a misspelt second neighbour": (
        NEIGHBOUR + '[[neighbour]]\nat = "nowhere"\nrelay = "a1b2c3d4"',
        "'neighbour[1].at'",
        5,
    ),
    "a neighbour without a key": ('[[neighbour]]\nat = "a:1"', "'neighbour[0].relay'", None),
    "a key that is no hexadecimal": (
        '[[neighbour]]\nat = "a:1"\nrelay = "xyzxyzxyz"',
        "'neighbour[0].relay'",
        3,
    ),
    "a port out of range": ("port = 70000", "'port'", 1),
    "a port that is a word": ('port = "http"', "'port'", 1),
    "a port twice": ("port = 7117\nextra_ports = [7118, 7117]", "'extra_ports[1]'", 2),
    "a further port twice": ("extra_ports = [80, 80]", "'extra_ports[1]'", 1),
    "any port twice": ("extra_ports = [80, 0]", "'extra_ports[1]'", 1),
    "an address that is none": ('addresses = ["eth0"]', "'addresses'", 1),
    "no address at all": ("addresses = []", "'addresses'", 1),
    "a visibility that does not exist": ('visibility = "loud"', "'visibility'", 1),
    "a clock that does not exist": ('\n\nclock = "sun"', "'clock'", 3),
    "a tiny quota": ("quota_mb = 1", "'quota_mb'", 1),
    "a negative hold": ("hold_s = -1", "'hold_s'", 1),
    "a service type that tells": ('service_type = "_meshes._tcp"', "'service_type'", 1),
    "a service type that is none": ('service_type = "relay"', "'service_type'", 1),
    "a process title that tells": ('process_title = "Newsroom"', "'process_title'", 1),
    "a process title with a line break": ('process_title = "a\\nb"', "'process_title'", 1),
    "broken TOML": ("port = ", "is not TOML", None),
}


@pytest.mark.parametrize(("text", "named", "line"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_refused_by_name_and_line(text: str, named: str, line: int | None) -> None:
    with pytest.raises(Refusal) as caught:
        parse_config(text)
    refusal = caught.value
    assert refusal.code == "configuration"
    assert named in refusal.what
    assert refusal.meaning
    assert "config.toml" in refusal.remedy
    assert (f"(line {line})" in refusal.what) == (line is not None)


def test_an_empty_file_says_the_defaults() -> None:
    assert parse_config("") == Config()


def test_no_file_says_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml") == Config()


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        load_config(tmp_path / "other.toml", required=True)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        load_config(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Refusal, match="UTF-8"):
        load_config(path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(Refusal, match="more than"):
        load_config(path)


def test_everything_that_may_be_said_is_understood() -> None:
    config = parse_config(
        'visibility = "veiled"\nclock = "trusted"\nport = 7117\nextra_ports = [443]\n'
        'addresses = ["127.0.0.1"]\nstreams_max = 64\nservice_type = "_hub._tcp"\n'
        'process_title = "hubd"\nquota_mb = 100\nhold_s = 10\nhold_flash_s = 1.5\n'
        'hold_receipt_s = 3\nbatch_s = 4\nbatch_flash_s = 5\nlog_format = "json"\n'
        'tls_ports = [8443]\ntls_name = "www.example.org"\ntls_file = "/etc/pem"\n'
        'proxies = ["127.0.0.1:9050"]\nwire_patience_s = 60\ndirect = false\nmetered = true\n'
        'log_level = "debug"\nbeacon_port = 48000\nbeacon_epoch_s = 60\nbluetooth = false\n'
        'bluetooth_adapter = "hci1"\nbluetooth_alias = "Speaker"\nbluetooth_scan_s = 2\n'
        "bluetooth_pause_s = 3\nbluetooth_battery_min = 5\nbluetooth_bulk_after_s = 6\n"
        'beacon_shape = "plain"\nbulk_routing = "spray-and-focus"\n' + NEIGHBOUR + DROP + LIMIT
    )
    changed = {
        name
        for name in Config.__struct_fields__
        if getattr(config, name) != getattr(Config(), name)
    }
    assert changed == set(Config.__struct_fields__)
    settings = node_settings(config)
    assert settings.quota_bytes == 100_000_000
    assert settings.visibility is Visibility.VEILED
    assert settings.neighbours == (
        StaticNeighbour(Address("tcp", "192.0.2.7:4711"), bytes.fromhex("a1b2c3d4")),
    )
    assert (settings.hold_s_max, settings.flash_hold_s_max) == (10, 1.5)
    assert (settings.batch_s, settings.flash_batch_s) == (4, 5)
    assert settings.reply_receipt_hold_s_max == 3
    assert settings.bluetooth_bulk_after_s == 6
    assert (settings.proxies, settings.patience_s) == (("127.0.0.1:9050",), 60)
    assert settings.limits == (RouteLimit("tls", "192.0.2.1", 1_500_000, 600),)


@pytest.mark.parametrize(
    "lines", ["", 'kind = "direct"', "mb_per_day = -1", "minutes_per_hour = 61", 'kind = "lan"']
)
def test_a_limit_that_limits_nothing_or_nothing_that_there_is_is_refused(lines: str) -> None:
    with pytest.raises(Refusal, match="limit"):
        parse_config(f"[[limit]]\n{lines}")


@pytest.mark.parametrize("proxy", ["localhost:9050", "9050", "127.0.0.1", "127.0.0.1:0"])
def test_a_proxy_is_named_by_its_number_so_that_nobody_is_asked(proxy: str) -> None:
    with pytest.raises(Refusal, match="proxies"):
        parse_config(f'proxies = ["{proxy}"]')


@pytest.mark.parametrize(
    "at", ["relay.example:80", "10.0.0.1:1", "[fe80::1%eth0]:9", "[::1]:65535"]
)
def test_a_neighbour_may_be_named_in_every_usual_way(at: str) -> None:
    config = parse_config(f'[[neighbour]]\nat = "{at}"\nrelay = "a1b2c3d4"')
    assert config.neighbour[0].at == at


@pytest.mark.parametrize(
    "at", ["::1:80", "[10.0.0.1]:80", "a:0", "a:65536", "a b:1", ":80", "[]:1"]
)
def test_a_neighbour_named_badly_is_refused(at: str) -> None:
    with pytest.raises(Refusal):
        parse_config(f'[[neighbour]]\nat = "{at}"\nrelay = "a1b2c3d4"')


@pytest.mark.parametrize("url", ["ftp://a/b", "https://user@a/b", "a", "https://a b/"])
def test_a_drop_is_on_http_and_its_address_holds_no_secret(url: str) -> None:
    with pytest.raises(Refusal, match="drop"):
        parse_config(f'[[drop]]\nkind = "webdav"\nurl = "{url}"')


@pytest.mark.parametrize("url", ["https://[", "http:///folder", "https://a:b/", "https://a:0/"])
def test_a_drop_has_a_host(url: str) -> None:
    with pytest.raises(Refusal, match="names no host") as caught:
        parse_config(f'[[drop]]\nkind = "webdav"\nurl = "{url}"')
    assert "line 3" in caught.value.what


@given(st.text(max_size=200))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        parse_config(text)
    except Refusal:
        return


def test_no_default_tells_what_it_is_for() -> None:
    written = msgspec.json.encode(Config()).decode().lower()
    for word in ("press", "news", "mesh", "secure", "dispatch", "desk"):
        assert word not in written
