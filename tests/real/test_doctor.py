"""`stenod doctor` on machines on which something is wrong, really: each time the sentence that mends it, and its code.

The key stands in no output, whatever is wrong.
"""

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio
import trustme
from daemon import PROGRAM, environment_in, stenod, together
from parts import lack
from server import ANY_KEY, KEY, emulator, fault, speech
from soundserver import SoundServer, sound_of
from terminal import CTRL_C, Terminal, alive, descendants
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

pytestmark = [pytest.mark.real, pytest.mark.slow]

SECRET = "wrong-key-0123456789abcdef"
DIALECTS = ("assemblyai", "deepgram", "deepgram-flux")
END_SECONDS_MAX = 32.0
TURNS = 20
"""After so many pings and pongs a client has long seen that it is connected: each is a turn of its loop."""
AT_ONCE_MAX = 6
"""Each has a deadline of its own to keep."""
QUICK = ("--input", "sample")
RATE = 16000


class Told:
    """What it said: the steps by name, and the exit code."""

    def __init__(self, code: int, text: str) -> None:
        answer = json.loads(text)
        self.code = code
        self.steps = {one["step"]: one for one in answer["findings"]}
        assert (code == 0, code) == (answer["ok"], answer["exit_code"])

    def mark(self, name: str) -> str:
        """How a step ended."""
        return str(self.steps[name]["mark"])

    def sentence(self, name: str) -> str:
        """What it found, with the remedy."""
        one = self.steps[name]
        return "; ".join(filter(None, (one["text"], one["remedy"])))


async def doctor(place: Path, *words: str, **environment: str) -> Told:
    """Run it to its end; no key that it was given is shown, nothing is left running, no file made."""
    before = files(place)
    async with stenod(place, "doctor", "--json", *words, **environment) as process:
        began = trio.current_time()
        code = await process.end(END_SECONDS_MAX)
        assert trio.current_time() - began < END_SECONDS_MAX
    said = process.stdout.decode()
    for name, secret in environment.items():
        assert not name.endswith("_KEY") or secret not in said + process.told
    assert before == files(place)
    assert "" == process.told
    return Told(code, said)


def files(place: Path) -> list[Path]:
    """Return the files below."""
    return sorted(path for path in place.rglob("*") if path.is_file())


def at(url: str, provider: str = "assemblyai") -> tuple[str, ...]:
    """Return the words that name a server."""
    return ("--provider", provider, "--endpoint", url)


async def doctor_before(place: Path, peer: Callable[[trio.SocketStream], Awaitable[None]], scheme: str) -> Told:
    """Run it with a server that does this to each connection."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, peer, [listener])
        port = listener.socket.getsockname()[1]
        told = await doctor(place, *at(f"{scheme}://127.0.0.1:{port}"), *QUICK, **ANY_KEY)
        nursery.cancel_scope.cancel()
    return told


@together
async def test_nothing_is_configured(place: Path) -> None:
    """The engine inside hears its sentence; without a sound server, the remedy is told; nothing else is wrong."""
    told = await doctor(place, ALSA_CONFIG_PATH=silence_in(place))
    assert 69 == told.code
    assert "nothing is configured" in told.sentence("configuration")
    assert "`--provider` names a service" in told.sentence("configuration")
    assert 'heard "Thank you very much' in told.sentence("engine")
    assert "no microphone: PortAudio finds no input device; plug one in, or start the sound" in told.sentence("audio")
    assert "skipped: no audio" == told.sentence("level")
    assert ["audio"] == [name for name in told.steps if told.mark(name) == "wrong"]


@together
async def test_a_key_is_missing(place: Path) -> None:
    """The places where one could stand; the rest of the way is walked as far as it goes without one."""
    told = await doctor(place, "--provider", "assemblyai", "--offline", *QUICK)
    assert 78 == told.code
    assert "no environment variable ASSEMBLYAI_API_KEY; provide one of the three" in told.sentence("key")
    assert "skipped: offline" == told.sentence("name")
    assert "good" == told.mark("level")


@pytest.mark.parametrize("provider", DIALECTS)
@together
async def test_a_wrong_key(place: Path, provider: str) -> None:
    """The provider's own refusal, explained; one attempt, and the key is in no output."""
    async with emulator(place / "server", "--key", "the-right-one") as server:
        url = f"ws://127.0.0.1:{server.port}"
        keys = {"ASSEMBLYAI_API_KEY": SECRET, "DEEPGRAM_API_KEY": SECRET}
        told = await doctor(place, *at(url, provider), *QUICK, **keys)
        assert 77 == told.code
        assert "does not know this API key" in told.sentence("session")
        assert "Copy the key again" in told.sentence("session")
        assert 2 == len(server.of("attempt")), "one for the connection, one for the session"


@together
async def test_an_account_without_money(place: Path) -> None:
    """The sentence decides."""
    text = "Unauthorized Connection: insufficient account balance"
    async with emulator(place / "server", faults=fault(kind="error", code=1008, text=text, count=9)) as server:
        told = await doctor(place, *at(server.url), *QUICK, **ANY_KEY)
        assert 77 == told.code
        assert "Add funds" in told.sentence("session")


@together
async def test_a_key_that_a_peer_repeats_is_masked(place: Path) -> None:
    """Whoever answers may say anything."""
    faults = fault(kind="error", code=4001, text=f"what is {SECRET}?", count=9)
    async with emulator(place / "server", faults=faults) as server:
        told = await doctor(place, *at(server.url), *QUICK, ASSEMBLYAI_API_KEY=SECRET)
        assert "what is ****?" in told.sentence("session")


@together
async def test_a_name_that_nobody_knows(place: Path) -> None:
    """No network, most likely; what needs it is not tried."""
    told = await doctor(place, *at("wss://stenod.invalid"), *QUICK, **ANY_KEY)
    assert 69 == told.code
    assert "Check the network" in told.sentence("name")
    assert "skipped: no network" == told.sentence("connection") == told.sentence("session")
    assert "good" == told.mark("audio") == told.mark("level")


@together
async def test_a_name_server_that_says_nothing(place: Path) -> None:
    """The resolver itself would wait for half a minute; the step does not, nor does anything at the end."""
    with silent_name_server(place) as enter:
        words = [*enter, PROGRAM, "doctor", "--json", *at("wss://stenod.example"), *QUICK]
        began = trio.current_time()
        done = await trio.run_process(words, env=environment_in(place, **ANY_KEY), capture_stdout=True, check=False)
        assert trio.current_time() - began < 15
    told = Told(done.returncode, done.stdout.decode())
    assert 69 == told.code
    assert "no end after 4 s: asking for the address of stenod.example" in told.sentence("name")
    assert "the name server does not answer: check the network" in told.sentence("name")
    assert "skipped: no network" == told.sentence("session")


@together
async def test_nothing_listens(place: Path) -> None:
    """The host is there, the port is not."""
    told = await doctor(place, *at(f"ws://127.0.0.1:{closed_port()}"), *QUICK, **ANY_KEY)
    assert 69 == told.code
    assert "nothing listens on that port" in told.sentence("connection")
    assert "Check the endpoint, or start the server if it is your own." in told.sentence("connection")
    assert "skipped: no connection" == told.sentence("session")


@together
async def test_a_network_that_swallows_everything(place: Path) -> None:
    """A real one: the kernel drops the connection's first packet, as a firewall does. All ends in time."""
    with swallowing() as port:
        told = await doctor(place, *at(f"ws://127.0.0.1:{port}"), *QUICK, **ANY_KEY)
    assert 69 == told.code
    assert f"no end after 5 s: connecting to 127.0.0.1, port {port}" in told.sentence("connection")
    assert "check the network, and whether the port is allowed out" in told.sentence("connection")
    assert "skipped: no connection" == told.sentence("session")


@together
async def test_a_peer_that_says_nothing(place: Path) -> None:
    """It takes the connection, and then there is silence."""
    told = await doctor_before(place, mute, "ws")
    assert 69 == told.code
    assert "good" == told.mark("connection")
    assert "did not become ready in time" in told.sentence("session")
    assert "look at the network and the provider's status page" in told.sentence("session")


@together
async def test_a_server_without_tls(place: Path) -> None:
    """It answers, as OpenSSL does not expect; no certificate is blamed."""
    told = await doctor_before(place, refusing, "wss")
    assert 69 == told.code
    assert told.sentence("connection").startswith("No TLS is spoken there (")
    assert told.sentence("connection").endswith("; name the endpoint with ws:// instead of wss://, or another port")


CERTIFICATES = {
    "unknown": ("localhost", False, "set tls.ca_file to its authority", "install ca-certificates, or set tls.ca_file"),
    "another-name": ("elsewhere.example", True, "check the endpoint, and any login page or proxy in between"),
    "trusted": ("localhost", True, "TLSv1."),
}
"""Whose it is, whether its authority is in tls.ca_file, and what may be told of the connection."""


@pytest.mark.parametrize("which", CERTIFICATES)
@together
async def test_certificates(place: Path, which: str) -> None:
    """What is wrong with one is named, with what mends it."""
    name, trusted, *may_be_told = CERTIFICATES[which]
    authority = trustme.CA()
    (place / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (place / "stenod.toml").write_text(f'[tls]\nca_file = "{place}/ca.pem"\n' if trusted else "")
    async with trio.open_nursery() as nursery:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, shaken, listeners)
        port = listeners[0].transport_listener.socket.getsockname()[1]
        words = ("--config", str(place / "stenod.toml"), *at(f"wss://localhost:{port}"))
        found = await doctor(place, *words, *QUICK, **ANY_KEY)
        nursery.cancel_scope.cancel()
    assert 69 == found.code
    assert any(one in found.sentence("connection") for one in may_be_told), found.sentence("connection")
    good = which == "trusted"
    assert good != ("certificate was not accepted" in found.sentence("connection"))
    assert ("wrong" if good else "skipped") == found.mark("session")


@pytest.mark.parametrize("provider", DIALECTS)
@together
async def test_a_healthy_machine(place: Path, require: Callable[[str], None], provider: str) -> None:
    """A microphone over a real sound server, a real session with its goodbye; nothing is made and nothing is left."""
    for program in ("pulseaudio", "pactl"):
        require(program)
    with SoundServer() as sound:
        sound.load_microphone()
        sound.play(np.tile(np.array([3277, -3277], "<i2"), 30 * RATE).tobytes())
        async with emulator(place / "server", "--key", KEY) as server:
            url = f"ws://127.0.0.1:{server.port}"
            words = (*at(url, provider), "--state-dir", str(place / "journal"))
            told = await doctor(place, *words, **ANY_KEY, **sound_of(sound))
            await server.stop()
    assert 0 == told.code, told.steps
    assert "microphone 'default' (the default one) gave audio after" in told.sentence("audio")
    assert "level -20 dB, peak -20 dB" == told.sentence("level")
    assert "ended in good order" in told.sentence("session")
    assert "will be made" in told.sentence("state")
    (ended,) = server.of("ended")
    assert 1 == len(server.of("terminate"))
    assert ended["audio_seconds"] <= 1.2
    assert ended["billed_seconds"] <= 3
    assert {"good", "odd", "skipped"} >= {told.mark(name) for name in ("clock", "service")}


def stored(journal: Path) -> int:
    """Return how many bytes of audio the journal holds."""
    return sum(path.stat().st_size for path in journal.rglob("*.s16le"))


@together
async def test_a_running_stenod_is_only_looked_at(place: Path) -> None:
    """Its directory is in use, which is not wrong; it goes on."""
    journal = place / "journal"
    async with emulator(place / "server") as server:
        words = (*at(server.url), "--state-dir", str(journal), "--input", "-")
        async with stenod(place, "run", *words, stdin=subprocess.PIPE, **ANY_KEY) as daemon:
            await daemon.feed(speech(1.0), finish=False)
            await daemon.until(lambda one: one.of("session"))
            with trio.fail_after(END_SECONDS_MAX):
                while stored(journal) < 2 * RATE:  # noqa: ASYNC110 - a file tells nobody
                    await trio.sleep(0.05)
            before = {path: path.stat().st_mtime_ns for path in journal.rglob("*") if "ledger" not in path.name}
            async with stenod(place, "doctor", *words[:-2], *QUICK, **ANY_KEY) as process:
                assert 0 == await process.end(END_SECONDS_MAX)
            assert before == {path: path.stat().st_mtime_ns for path in before}
            said = process.stdout.decode()
            assert f"{journal} is in use by a running stenod (process {daemon.process.pid})" in said
            assert daemon.process.returncode is None
            daemon.interrupt()
            assert 0 == await daemon.end()


@pytest.mark.parametrize("size", [256 * 1024, 8 << 20], ids=["full", "nearly"])
def test_a_full_disk(size: int, tmp_path: Path, missing: Callable[[str], None]) -> None:
    """One that is full takes nothing; one that is nearly so can keep no audio."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(tmp_path)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        missing(f"cannot mount: {made.stderr.decode().strip()}")
    try:
        provider = ("--offline", "--provider", "assemblyai")  # the engine inside would take a while
        words = [PROGRAM, "doctor", "--json", *provider, *QUICK, "--state-dir", str(tmp_path)]
        done = subprocess.run(
            words, capture_output=True, check=False, timeout=60, env={"PATH": os.environ["PATH"], **ANY_KEY}
        )
        told = Told(done.returncode, done.stdout.decode())
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
    assert 73 == told.code
    assert "must stay free (journal.free_bytes_min): no audio can wait; make room" in told.sentence("disk")
    if size < 1 << 20:
        assert "cannot be written: No space left on device; make room on its disk, or" in told.sentence("state")
    else:
        assert "good" == told.mark("state")


@pytest.mark.parametrize("ready", [False, True], ids=["opening", "sending"])
async def test_ctrl_c_says_goodbye(ready: bool, nursery: trio.Nursery, tmp_path: Path) -> None:
    """Typed on a real terminal: 130, no traceback. Before it is ready too: what is slow may still accept."""
    begun, said = trio.Event(), []

    async def serve(request: WebSocketRequest) -> None:
        connection = await request.accept()
        for _ in range(TURNS):
            await connection.ping()
        if ready:
            await connection.send_message('{"type":"Begin","id":"b1","expires_at":4102444800}')
            await connection.get_message()
        begun.set()
        with suppress(ConnectionClosed):
            while True:
                said.append(await connection.get_message())

    server = await nursery.start(partial(serve_websocket, serve, "127.0.0.1", 0, None))
    environment = environment_in(tmp_path, **ANY_KEY, LANG="C.UTF-8")
    with Terminal([PROGRAM, "doctor", *at(f"ws://127.0.0.1:{server.port}"), *QUICK], environment) as terminal:
        with trio.fail_after(30):
            await begun.wait()
        await trio.to_thread.run_sync(terminal.until, lambda one: "holding a session" in "".join(one.shown))
        terminal.type(CTRL_C)
        assert 130 == await trio.to_thread.run_sync(terminal.end)
        assert "Traceback" not in terminal.raw.decode()
        assert KEY not in terminal.raw.decode()
    with trio.fail_after(10):
        while '{"type":"Terminate"}' not in said:  # noqa: ASYNC110 - it is read by then, or never
            await trio.sleep(0.01)
    assert '{"type":"Terminate"}' == said[-1]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("waits", ["hear a sentence", "a second of audio"], ids=["engine", "microphone"])
def test_ctrl_c_leaves_no_process(waits: str, sound: SoundServer, tmp_path: Path) -> None:
    """Neither the recogniser nor the one that holds a microphone, which gives nothing here."""
    sound.load_microphone()
    words = [] if "sentence" in waits else ["--offline", "--provider", "assemblyai"]
    environment = environment_in(tmp_path, **ANY_KEY, **sound_of(sound), LANG="C.UTF-8")
    with Terminal([PROGRAM, "doctor", *words], environment) as terminal:
        terminal.until(lambda one: waits in "".join(one.shown) and descendants(one.process.pid))
        below = descendants(terminal.process.pid)
        terminal.type(CTRL_C)
        assert 130 == terminal.end()
        assert set() == alive(below)
        assert "Traceback" not in terminal.raw.decode()


def test_a_terminal_shows_each_step_as_it_comes(tmp_path: Path) -> None:
    """Signs and colours; what is waited for stands there meanwhile and is gone at the end."""
    environment = environment_in(tmp_path, LANG="C.UTF-8")
    with Terminal([PROGRAM, "doctor", *QUICK], environment, columns=200) as terminal:
        terminal.until(lambda one: "having the engine inside hear a sentence" in "".join(one.shown))
        assert any(line.startswith("✓ configuration") for line in terminal.shown)
        assert 0 == terminal.end(40)
        assert ["configuration", "engine", "audio", "level", "state", "disk", "clock", "service"] == [
            line.split()[1] for line in terminal.shown
        ]
        assert b"\x1b[32m\xe2\x9c\x93\x1b[0m engine" in terminal.raw


def silence_in(place: Path) -> str:
    """Return a configuration of ALSA without a device."""
    (place / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\n")
    return str(place / "asound.conf")


def closed_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def swallowing() -> Iterator[int]:
    """Return a port whose queue is full: the kernel drops what comes."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


@contextmanager
def silent_name_server(place: Path) -> Iterator[list[str]]:
    """Return the words that run a program where the only name server never answers; needs root."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        try:
            server.bind(("127.53.53.53", 53))
        except OSError as error:
            lack(f"cannot be a name server: {error.strerror}")
        (place / "resolv.conf").write_text("nameserver 127.53.53.53\n")
        enter = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'mount --bind {place}/resolv.conf /etc/resolv.conf && exec "$@"',
            "-",
        ]
        if subprocess.run([*enter, "true"], check=False, capture_output=True).returncode:
            lack("cannot have a name server of one's own: unshare --mount is not allowed")
        yield enter


async def mute(stream: trio.abc.Stream) -> None:
    """Take what comes and say nothing."""
    while await stream.receive_some():
        pass


async def refusing(stream: trio.abc.Stream) -> None:
    """Answer as a web server does that is spoken to in TLS."""
    await stream.receive_some()
    await stream.send_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await stream.aclose()


async def shaken(stream: trio.SSLStream[trio.SocketStream]) -> None:
    """Try to speak TLS with who comes."""
    try:
        await stream.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError):
        return
