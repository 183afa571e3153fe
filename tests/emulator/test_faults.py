"""Every fault, over the wire and in virtual time; and the file that asks for them."""

import json
import math

import pytest
import trio
from trio.testing import memory_stream_pair
from trio_websocket import ConnectionRejected, wrap_client_stream

from stenod.emulator import log
from stenod.emulator.faults import KINDS, Fault, FaultsError, Scope, load_faults, parse_faults
from stenod.emulator.strikes import STRIKES

from .raw_client import RATE, STREAMING, connected, emulator, path_of, session


def server_with(*faults: Fault, **options):
    """Return an emulator with these faults."""
    return emulator(faults=faults, **options)


async def test_drop_by_audio(autojump_clock):
    """A drop strikes each session at its audio, without a close frame."""
    server = server_with(Fault(kind="drop", audio=1.0))
    for _ in range(2):
        async with session(server) as client:
            await client.stream(0, 1.0)
            await trio.sleep(0.1)
            assert client.closed == (1006, "")
    assert [(e.code, e.by, e.audio_samples) for e in server.log.of(log.Ended)] == [(1006, "fault", RATE)] * 2
    assert [(s.kind, s.session) for s in server.log.of(log.Struck)] == [("drop", 0), ("drop", 1)]


async def test_only_in_one_session(autojump_clock):
    """With `session` a fault strikes that one alone, counted from 0."""
    server = server_with(Fault(kind="close", audio=0.5, session=1))
    ends = []
    for _ in range(3):
        async with session(server) as client:
            await client.stream(0, 0.5)
            await trio.sleep(0.1)
            ends.append(client.closed)
    assert ends == [None, (3005, "Session Cancelled: An error occurred"), None]


async def test_right_after_begin(autojump_clock):
    """With `session` alone a fault strikes as soon as the session is accepted."""
    server = server_with(Fault(kind="error", session=0, code=3008))
    async with connected(server) as client:
        code, _ = await client.drain()
    assert code == 3008
    assert [m["type"] for m in client.messages] == ["Error"]


async def test_close_with_1000(autojump_clock):
    """A close can be a normal one that nobody asked for."""
    async with connected(server_with(Fault(kind="close", wall=3.0, code=1000))) as client:
        assert await client.drain() == (1000, "Session Ended")
        assert trio.current_time() == 3.0
    assert [m["type"] for m in client.messages] == ["Begin"]


async def test_error_with_its_own_text(autojump_clock):
    """An error says the given text and closes with the given code."""
    fault = Fault(kind="error", audio=0.1, code=1008, text="Unauthorized Connection: Insufficient balance")
    async with session(server_with(fault)) as client:
        await client.stream(0, 0.1)
        await trio.sleep(0.1)
    assert {"type": "Error", "error_code": 1008, "error": fault.text} == client.messages[-1]
    assert client.closed == (1008, "See Error message for details")


async def test_error_untyped(autojump_clock):
    """Older servers sent the error without a type, and its text as the reason."""
    async with connected(server_with(Fault(kind="error-untyped", wall=1.0))) as client:
        assert await client.drain() == (3005, "Session Cancelled: An error occurred")
    assert client.messages[-1] == {"error": "Session Cancelled: An error occurred"}


async def test_a_long_reason_is_cut(autojump_clock):
    """A close reason is at most 123 bytes, cut between characters."""
    async with connected(server_with(Fault(kind="close", wall=1.0, code=1008, text="é" * 100))) as client:
        assert await client.drain() == (1008, "é" * 61)


async def test_opening_is_turned_away(autojump_clock):
    """An end without a time strikes before Begin; `count` says how often."""
    old = "Unauthorized connection: Too many concurrent sessions"
    server = server_with(Fault(kind="close", code=1008, text=old, count=2))
    ends = []
    for _ in range(3):
        async with connected(server) as client:
            message = await client.receive()
            ends.append(client.closed if message is None else message["type"])
    assert [(1008, old), (1008, old), "Begin"] == ends
    assert [refusal.code for refusal in server.log.of(log.Refused)] == [1008, 1008]
    assert server.log.of(log.Opened)[0].session == 0


async def test_only_one_attempt(autojump_clock):
    """With `attempt` an opening fault strikes that connection alone."""
    server = server_with(Fault(kind="error", code=1011, attempt=1))
    kinds = []
    for _ in range(3):
        async with connected(server) as client:
            kinds.append((await client.receive())["type"])
    assert kinds == ["Begin", "Error", "Begin"]


async def test_status(autojump_clock):
    """The upgrade is answered with a status and a body, for a time."""
    server = server_with(Fault(kind="status", status=429, wall=10.0, duration=5.0, text="slow down"))
    async with connected(server) as client:
        await client.until("Begin")
    await trio.sleep_until(12)
    with pytest.RaisesGroup(ConnectionRejected) as caught:
        async with connected(server):
            pass
    (error,) = caught.value.exceptions
    assert (error.status_code, json.loads(error.body)) == (429, {"error": "slow down"})
    await trio.sleep_until(15.1)
    async with connected(server) as client:
        await client.until("Begin")
    assert [refusal.status for refusal in server.log.of(log.Refused)] == [429]


async def test_refuse(autojump_clock):
    """Connections are reset as they arrive, again and again when asked for."""
    server = server_with(Fault(kind="refuse", wall=10.0, duration=5.0, repeat=60.0))
    for at, refused in ((1, False), (12, True), (16, False), (72, True), (76, False)):
        await trio.sleep_until(at)
        if refused:
            mine, theirs = memory_stream_pair()
            await server.serve_stream(theirs)
            assert await mine.receive_some() == b""
        else:
            async with connected(server) as client:
                await client.until("Begin")
    assert len(server.log.of(log.Struck)) == 2


async def test_slow_openings(autojump_clock):
    """The upgrade, or what follows it, can be late."""
    for kind, upgraded_at in (("slow", 4.0), ("slow-begin", 0.0)):
        server = server_with(Fault(kind=kind, duration=4.0, count=1))
        began = trio.current_time()
        async with connected(server) as client:
            assert pytest.approx(upgraded_at) == trio.current_time() - began
            await client.until("Begin")
            assert pytest.approx(4.0) == trio.current_time() - began


async def test_begin_then_die(autojump_clock):
    """A session can look well and die five seconds later."""
    async with connected(server_with(Fault(kind="begin-then-die"))) as client:
        await client.until("Begin")
        assert (await client.drain())[0] == 3005
        assert trio.current_time() == 5.0


async def test_expire(autojump_clock):
    """The session's time limit can come early."""
    async with session(server_with(Fault(kind="expire", audio=2.0))) as client:
        await client.stream(0, 2.0)
        await trio.sleep(0.1)
    assert client.closed[0] == 3008
    assert client.messages[-1]["error"] == "Session Expired: Maximum session duration exceeded"


async def test_black_hole(autojump_clock):
    """During an outage nothing passes; afterwards life goes on, and a hung handshake is answered."""
    server = server_with(Fault(kind="black-hole", wall=2.0, duration=20.0))
    async with session(server) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.stream, 0, 30)
        await trio.sleep_until(3)
        with trio.move_on_after(10) as scope:
            await client.socket.ping()
        assert scope.cancelled_caught
        count = len(client.messages)
        async with connected(server) as second:
            assert trio.current_time() == 22.0
            await second.until("Begin")
        assert count == len([m for m in client.messages if m["type"] == "Begin"]) + count - 1
        await trio.sleep_until(40)
        await client.say("Terminate")
        await trio.sleep(20)
    assert client.closed == (1000, "Session Ended")
    assert client.messages[-1]["audio_duration_seconds"] == 30


async def test_black_hole_by_audio_ends_connections_closed_meanwhile(autojump_clock):
    """A session's audio can set off an outage, and a client that left in it is noticed afterwards."""
    server = server_with(Fault(kind="black-hole", audio=1.0, duration=10.0, session=0))
    mine, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        target = path_of(STREAMING)
        socket = await wrap_client_stream(nursery, mine, "x", target, extra_headers=[(b"Authorization", b"k")])
        for _ in range(10):
            await socket.send_message(bytes(3200))
            await trio.sleep(0.1)
        await trio.aclose_forcefully(mine)
        await trio.sleep_until(10)
        assert server.log.of(log.Ended) == []
        await trio.sleep_until(12)
        (ended,) = server.log.of(log.Ended)
        assert (ended.code, ended.by) == (1006, "network")
        nursery.cancel_scope.cancel()


async def test_deaf(autojump_clock):
    """A deaf connection is not read or answered, others are; for a duration it comes back."""
    server = server_with(Fault(kind="deaf", audio=1.0, duration=30.0, session=0))
    async with session(server) as client, session(server) as other:
        await client.stream(0, 1.0)
        with trio.move_on_after(5) as scope:
            await client.socket.ping()
        assert scope.cancelled_caught
        await other.socket.ping()
        await client.stream(RATE, 1.0)
        await trio.sleep(30)
        await client.socket.ping()
        await client.say("Terminate")
        await trio.sleep(5)
        assert client.messages[-1]["audio_duration_seconds"] == 2


async def test_deaf_for_good_ends_on_the_servers_side(autojump_clock):
    """A client that nobody hears is inactive to the server, and has to find out for itself that nobody is there."""
    server = server_with(Fault(kind="deaf", audio=1.0))
    async with session(server, STREAMING | {"inactivity_timeout": 5}) as client:
        await client.stream(0, 20.0)
        assert [ended.code for ended in server.log.of(log.Ended)] == [3006]
        assert client.closed is None
    assert server._connections == 0
    assert [m["type"] for m in client.messages] == ["Begin"]


async def test_mute(autojump_clock):
    """A stalled model reads on and answers pings, and says everything once it recovers."""
    server = server_with(Fault(kind="mute", audio=1.0, duration=30.0))
    async with session(server, STREAMING | {"session_heartbeat": True}) as client:
        await client.stream(0, 20.0)
        await client.socket.ping()
        assert [m["type"] for m in client.messages] == ["Begin"]
        await trio.sleep(15)
        assert client.finals
        assert "Heartbeat" in [m["type"] for m in client.messages]


async def test_what_is_said_of_its_length_is_billed(autojump_clock):
    """Last words that are held for long cost nothing: what the goodbye says is the bill."""
    server = server_with(Fault(kind="mute", audio=1.0, duration=30.0))
    async with connected(server) as client:
        await client.stream(0, 5.0)
        await client.say("Terminate")
        await client.drain()
    (ended,) = server.log.of(log.Ended)
    assert ended.at > 30.0
    assert ended.billed_seconds == client.messages[-1]["session_duration_seconds"] < 7


async def test_mute_for_good(autojump_clock):
    """A model stalled for good answers no goodbye either."""
    server = server_with(Fault(kind="mute", audio=1.0))
    async with session(server) as client:
        await client.stream(0, 5.0)
        await client.say("Terminate")
        await trio.sleep(60)
        assert client.closed is None
        await client.socket.ping()
    assert [(ended.code, ended.billed_seconds) for ended in server.log.of(log.Ended)] == [(1006, 65)]


async def test_slow_messages(autojump_clock):
    """Messages can be late, and stay in order."""
    finals_at = []
    for faults in ((), (Fault(kind="slow-messages", audio=0.1, duration=2.0),)):
        began = trio.current_time()
        async with connected(server_with(*faults)) as client, trio.open_nursery() as nursery:
            nursery.start_soon(client.stream, 0, 8.0)
            while not (await client.receive()).get("end_of_turn"):
                pass
            finals_at.append(trio.current_time() - began)
    assert pytest.approx(2.0) == finals_at[1] - finals_at[0]


async def test_garbage(autojump_clock):
    """Messages that nobody should choke on come in the middle, and the session goes on."""
    async with session(server_with(Fault(kind="garbage", audio=1.0))) as client:
        await client.stream(0, 10)
        await client.say("Terminate")
        await trio.sleep(1)
    assert client.closed == (1000, "Session Ended")
    assert any(isinstance(m, bytes) for m in client.messages)
    assert "this is not JSON" in client.messages
    assert {"type": "SomethingNew", "x": 1} in client.messages


async def test_huge(autojump_clock):
    """A message of four megabytes is a burden, not an end."""
    server = server_with(Fault(kind="huge", audio=0.1))
    mine, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve_stream, theirs)
        headers = [(b"Authorization", b"k")]
        target = path_of(STREAMING)
        socket = await wrap_client_stream(nursery, mine, "x", target, extra_headers=headers, max_message_size=10 << 20)
        await socket.send_message(bytes(3200))
        sizes = [len(await socket.get_message()), len(await socket.get_message())]
        await socket.send_message(bytes(3200))
        await socket.ping()
        nursery.cancel_scope.cancel()
    assert sizes[1] > 4 << 20


async def test_repeat_by_audio(autojump_clock):
    """A repeated fault strikes again every so many seconds of audio, up to its count."""
    server = server_with(Fault(kind="garbage", audio=1.0, repeat=2.0, count=3))
    async with session(server) as client:
        await client.stream(0, 10)
    assert client.messages.count("this is not JSON") == 3


async def test_repeat_by_the_clock_on_every_session(autojump_clock):
    """A fault by the clock strikes all sessions that live then, and those of later repetitions."""
    server = server_with(Fault(kind="drop", wall=5.0, repeat=10.0))
    for _ in range(2):
        async with session(server) as one, session(server) as two:
            await trio.sleep(10)
            assert (1006, "") == one.closed == two.closed
    assert [round(ended.at, 3) for ended in server.log.of(log.Ended)] == [5.0, 5.0, 15.0, 15.0]


def test_table_is_whole():
    """Each kind that can strike a session has its function, and no other has."""
    assert {kind for kind, row in KINDS.items() if row.scope is not Scope.OPENING} == set(STRIKES)


def test_scope_of_an_end_depends_on_its_time():
    """An end without a time is an opening's."""
    assert Scope.OPENING is Fault(kind="drop").scope
    assert Scope.SESSION is Fault(kind="drop", audio=0.0).scope


def test_file():
    """A faults file is read into the same values that code would build."""
    text = """
        [[fault]]
        kind = "drop"
        audio = 30
        session = 1
        [[fault]]
        kind = "black-hole"
        wall = 60.0
        duration = 20.0
        repeat = 300.0
        [[fault]]
        kind = "status"
        status = 503
        count = 2
    """
    expected = (
        Fault(kind="drop", audio=30, session=1),
        Fault(kind="black-hole", wall=60.0, duration=20.0, repeat=300.0),
        Fault(kind="status", status=503, count=2),
    )
    assert expected == parse_faults(text)
    assert parse_faults("") == ()


def test_file_with_all_its_mistakes():
    """All mistakes are told at once, with the nearest known name."""
    text = """
        [[faults]]
        [[fault]]
        kind = "drp"
        [[fault]]
        kind = "black-hole"
        walll = 3
        audio = -1
        count = 1.5
        [[fault]]
        kind = "drop"
        audio = 1
        wall = 1
        text = 5
        [[fault]]
        kind = "status"
        audio = true
        repeat = 0
        [[fault]]
        [[fault]]
        kind = "close"
        code = 70000
        [[fault]]
        kind = "status"
        status = 101
    """
    with pytest.raises(FaultsError) as caught:
        parse_faults(text)
    assert caught.value.errors == (
        "unknown name 'faults'; did you mean 'fault'?",
        "fault 1: unknown kind 'drp'; did you mean 'drop'?",
        "fault 2: unknown name 'walll'; did you mean 'wall'?",
        "fault 2: audio must be a number of seconds from 0 on, not -1",
        "fault 2: count must be a whole number from 0 on, not 1.5",
        "fault 2: black-hole needs duration",
        "fault 3: text must be text, not 5",
        "fault 3: audio and wall are two clocks: give one of them",
        "fault 4: audio must be a number of seconds from 0 on, not True",
        "fault 4: status needs status",
        "fault 4: repeat must be over 0",
        "fault 4: status strikes an opening, where there is no audio yet: use wall, attempt or count",
        f"fault 5: unknown kind None; known: {', '.join(KINDS)}",
        (
            "fault 6: code must be one that a close frame may have, from 1000 to 4999 without 1004, 1006, 1015, "
            "not 70000"
        ),
        "fault 7: status must be one that refuses an upgrade, from 200 to 599, not 101",
    )


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"),
    [
        ("close", "code", (1000, 1003, 1005, 1011, 3000, 4999), (0, 999, 1004, 1006, 1015, 5000)),
        ("status", "status", (200, 401, 599), (0, 100, 101, 199, 600, 99999)),
    ],
)
def test_what_a_server_can_send(kind, name, good, bad):
    """A code for a close frame, a status that ends an upgrade."""
    for number in good:
        assert number == getattr(Fault(kind=kind, **{name: number}), name)
    for number in bad:
        with pytest.raises(FaultsError, match=f"{name} must be one that .* not {number}$"):
            Fault(kind=kind, **{name: number})


@pytest.mark.parametrize("text", ["[", "fault = 1", "fault = [1]"])
def test_files_of_the_wrong_shape(text):
    """What is no TOML, or no list of tables, is one mistake."""
    with pytest.raises(FaultsError):
        parse_faults(text)


def test_file_that_cannot_be_read(tmp_path):
    """A missing file, and one that is no text, are named."""
    with pytest.raises(FaultsError, match=r"cannot read .*none.toml: No such file"):
        load_faults(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(FaultsError, match=r"cannot read .*bad.toml: not UTF-8"):
        load_faults(tmp_path / "bad.toml")


@pytest.mark.parametrize("fields", [{"kind": "drop", "audio": math.nan}, {"kind": "refuse"}, {"kind": "nonsense"}])
def test_fault_checks_itself(fields):
    """A fault built in code is held to the same rules."""
    with pytest.raises(FaultsError):
        Fault(**fields)
