import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import meshnewsd
from meshnews.errors import Refusal
from meshnewsd.main import main, passphrase_source, read_passphrase

SHELF = Path(meshnewsd.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SHELF), str(SHELF.parent)])}

DAEMON = """
import sys, trio
from pathlib import Path
from meshnews.node.settings import Visibility
from meshnewsd.app import serve
from meshnewsd.compose import Composition, Launch
from meshnewsd.config import Config
from meshnewsd.platform import logs, process
from tests.shell.fakes import FakeNode, FakeStores

process.harden()
logs.set_up(logs.LogFormat.PLAIN, logs.LogLevel.INFO)
stores = FakeStores()
config = Config(addresses=("127.0.0.1", "::1"), visibility=Visibility.VEILED)
composition = Composition(
    open_stores=lambda: stores,
    build=lambda stores: FakeNode(stores),
    visibility=lambda stores: Visibility.VEILED,
    parts=lambda host, outlook: (),
)
launch = Launch(Path(sys.argv[1]), config, None, lambda: None)
status = trio.run(serve, launch, composition)
assert not stores.is_open
sys.exit(status)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_real_daemon_cleanly_and_soon(
    tmp_path: Path, number: signal.Signals
) -> None:
    # On a machine that has much else to do one may be slow; one that is, is so every time.
    assert any(seconds_to_end(tmp_path / name, number) < 2 for name in ("a", "b", "c"))


def seconds_to_end(home: Path, number: signal.Signals) -> float:
    """Start a daemon and end it by a signal; return how long that took."""
    home.mkdir()
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(home)],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert daemon.stderr is not None
    with daemon.stderr:
        lines = iter(daemon.stderr.readline, "")
        said = next(line for line in lines if "port taken" in line)
        assert "transport=tcp" in said
        began_s = time.monotonic()
        daemon.send_signal(number)
        assert daemon.wait(timeout=30) == 0
        took_s = time.monotonic() - began_s
        assert "Traceback" not in daemon.stderr.read()
    return took_s


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "meshnewsd", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_printed() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--passphrase-file" in done.stdout


def test_wrong_words_are_a_matter_of_usage() -> None:
    assert run("--frobnicate").returncode == 2


def test_a_wrong_configuration_is_refused_in_three_sentences(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("prot = 1\n")
    done = run("--home", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 3
    assert "'prot'" in done.stderr


@pytest.mark.parametrize("words", [["--once"], ["--control-fd", "3"]])
def test_a_run_for_one_caller_needs_its_caller(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert "--control-fd" in capsys.readouterr().err


def test_heavy_imports_wait_until_they_are_needed() -> None:
    script = "import sys, meshnewsd.main; print({'trio', 'msgspec', 'zeroconf'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_passphrase_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text("correct horse \nsecond line\n")
    assert passphrase_source(str(path), may_ask=False)() == "correct horse "


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\n", b"x" * 5000])
def test_a_file_without_a_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    with pytest.raises(Refusal):
        read_passphrase(path)
    with pytest.raises(Refusal):
        read_passphrase(tmp_path / "none")


def test_where_nobody_can_be_asked_there_is_no_passphrase() -> None:
    assert passphrase_source(None, may_ask=False)() is None
    assert passphrase_source(None, may_ask=True)() is None
