"""How steps are taken: order, ground, deadlines, secrets; and each step where it needs no other process."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import trio

from fakes.log import FakeLog
from stenod.config import load
from stenod.core.diagnosis import Finding, Mark, Unit, good, odd, skipped, wrong
from stenod.edge import systemctl
from stenod.edge.alsa import Recording
from stenod.edge.state_directory import named
from stenod.examination import Case, Examined, Step, concealed, walk
from stenod.examination_machine import MachineExamination, configuration, surroundings
from stenod.examination_provider import ProviderExamination
from stenod.examination_source import SourceExamination

RATE = 16000
KEY = "0123456789abcdef" * 2
SECRET = "a-secret-of-somebody"


def step(name: str, finding: Finding, takes: float = 0.0, **fields: object) -> Step:
    """Return one that finds this after so long."""

    async def examine() -> Finding:
        await trio.sleep(takes)
        return finding

    return Step(**({"name": name, "waiting": f"for {name}", "examine": examine} | fields))


async def walked(*steps: Step, seconds: float = 28.0) -> tuple[dict[str, Finding], list[str]]:
    """Return what was found, and which steps were begun."""
    begun: list[str] = []
    ended: list[Examined] = []
    found = await walk(
        steps,
        begin=lambda one: begun.append(one.name),
        end=ended.append,
        secrets=lambda: [SECRET],
        seconds=seconds,
    )
    assert found == ended
    return {f"{one.step.of}{one.step.name}": one.finding for one in found}, begun


async def test_a_step_without_its_ground_is_not_taken() -> None:
    """It says in a word what is lacking, and so do those that need it; what needs nothing of it is taken."""
    found, begun = await walked(
        step("name", wrong("none"), lack="no network"),
        step("connection", good("there"), needs=("name",), lack="no connection"),
        step("session", good("fine"), needs=("connection",)),
        step("key", odd("strange", "look")),
        step("audio", good("heard"), needs=("key",)),
    )
    assert ["name", "key", "audio"] == begun
    assert skipped("no network") == found["connection"] == found["session"]
    assert "skipped: no network" == str(found["session"])


async def test_what_was_not_tried_is_no_ground() -> None:
    """As offline; each provider stands by itself."""
    found, begun = await walked(
        step("name", skipped("offline"), of="a", lack="offline"),
        step("session", good("fine"), of="a", needs=("name",)),
        step("name", good("there"), of="b"),
        step("session", good("fine"), of="b", needs=("name",)),
    )
    assert (skipped("offline"), good("fine")) == (found["asession"], found["bsession"])
    assert ["name", "name", "session"] == begun


async def test_every_step_ends_in_time(autojump_clock: trio.abc.Clock) -> None:
    """What it waited for, and what to do; the others go on."""
    found, _ = await walked(step("name", good("late"), 60.0, seconds=4.0, late="mend it"), step("clock", good("set")))
    assert wrong("no end after 4 s: for name", "mend it") == found["name"]
    assert good("set") == found["clock"]
    assert 4.0 == trio.current_time()


async def test_all_of_it_ends_in_time(autojump_clock: trio.abc.Clock) -> None:
    """The last one is cut short, the rest not begun."""
    found, begun = await walked(*(step(str(n), good("late"), 60.0, seconds=5.0) for n in range(9)), seconds=28.0)
    assert 28.0 == trio.current_time()
    assert 6 == len(begun)
    assert "no end after 3 s" in found["5"].text
    assert [skipped("no time")] * 3 == [found[str(n)] for n in (6, 7, 8)]


async def test_secrets_are_masked() -> None:
    """A peer may repeat what it was sent; what is too short to be a secret stays."""
    found, _ = await walked(step("session", wrong(f"no {SECRET} here", f"not {SECRET}")))
    assert wrong("no **** here", "not ****") == found["session"]
    assert good("five") == concealed(good("five"), ["five"])


def case(tmp_path: Path, environment: dict[str, str] | None = None, **overrides: object) -> Case:
    """Return one with these options; in `overrides` two underscores are a dot."""
    chosen = {name.replace("__", "."): value for name, value in overrides.items()}
    return Case(load(None, {}, chosen), {"HOME": str(tmp_path)} | (environment or {}), False, FakeLog())


@pytest.mark.parametrize(
    ("overrides", "mark", "told"),
    [
        ({}, Mark.GOOD, "nothing is configured: the default microphone, and the engine inside"),
        (
            {"providers": ("deepgram",), "capture.input": "sample"},
            Mark.GOOD,
            "from 2 command line options: input sample, transcribed by deepgram",
        ),
        ({"capture.input": "missing.wav"}, Mark.ODD, "there is no file 'missing.wav'"),
        ({"tls.ca_file": "/nonexistent/ca.pem"}, Mark.WRONG, "cannot read tls.ca_file"),
        (
            {"providers": ("assemblyai",), "assemblyai.speech_model": "universal-streaming-englich"},
            Mark.ODD,
            "assemblyai.speech_model; not a model that stenod knows",
        ),
    ],
)
def test_the_configuration(overrides: dict[str, object], mark: Mark, told: str) -> None:
    """Where it is from, or what is odd or wrong about it."""
    found = configuration(load(None, {}, overrides))
    assert mark is found.mark
    assert told in str(found)
    assert (78 if mark is Mark.WRONG else 0) == found.exit_code


def test_the_origin_of_a_configuration(tmp_path: Path) -> None:
    """Its file, and how much else was said elsewhere."""
    path = tmp_path / "stenod.toml"
    path.write_text('[capture]\ninput = "sample"\n')
    environment = {"STENOD_PACER_CHUNK_MS": "200"}
    assert configuration(load(path, environment)).text == (
        f"from {path}, 1 variable: input sample, transcribed by the engine inside"
    )
    path.write_text("")
    assert f"{path}, which sets nothing" == configuration(load(path, {})).text


@pytest.mark.parametrize(
    ("key", "mark", "told", "code"),
    [
        (KEY, Mark.GOOD, "from environment ASSEMBLYAI_API_KEY, 32 characters", 0),
        (KEY[:-2], Mark.ODD, "30 characters: it has 30 characters, and a key of assemblyai has 32", 0),
        ("with a space", Mark.WRONG, "has spaces, control or other characters", 78),
        ("", Mark.WRONG, "no environment variable ASSEMBLYAI_API_KEY; provide one of the three", 78),
    ],
)
async def test_keys(key: str, mark: Mark, told: str, code: int, tmp_path: Path) -> None:
    """There, and of its form; never shown."""
    found = await ProviderExamination(case(tmp_path, {"ASSEMBLYAI_API_KEY": key}), "assemblyai").key()
    assert (mark, code) == (found.mark, found.exit_code)
    assert told in str(found)
    assert not key or key not in str(found)


async def test_a_key_file_that_all_can_read(tmp_path: Path) -> None:
    """As `stenod check` warns."""
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(0o644)
    found = await ProviderExamination(case(tmp_path, assemblyai__key_file=str(path)), "assemblyai").key()
    assert (Mark.ODD, f"`chmod o-r {path}`") == (found.mark, found.remedy)


async def test_a_server_of_ones_own_has_keys_of_its_own(tmp_path: Path) -> None:
    """Of any form, or none."""
    own = {"assemblyai__endpoint": "ws://127.0.0.1:9"}
    found = await ProviderExamination(case(tmp_path, {"ASSEMBLYAI_API_KEY": "mine"}, **own), "assemblyai").key()
    assert good("from environment ASSEMBLYAI_API_KEY, 4 characters") == found
    assert "needs none" in (await ProviderExamination(case(tmp_path, **own), "assemblyai").key()).text


async def test_a_key_that_only_a_service_has_is_told(tmp_path: Path) -> None:
    """Where it is needed and where not, with how that service is examined."""
    key = tmp_path / ".config/stenod/hall.assemblyai.key"
    key.parent.mkdir(parents=True)
    key.touch()
    for own, mark in (({}, Mark.WRONG), ({"assemblyai__endpoint": "ws://127.0.0.1:9"}, Mark.ODD)):
        found = await ProviderExamination(case(tmp_path, **own), "assemblyai").key()
        assert mark is found.mark
        assert f"{key} is for a service, which `stenod doctor --service --user --name hall` examines" == found.remedy


async def test_the_service_that_is_examined_is_told_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is on the machine is another matter, and so is one of the same name of another manager."""
    fields = {"sub": "failed", "enabled": "enabled"}
    units = [
        Unit(name="stenod", active="failed", **fields),
        Unit(name="stenod", active="active", user=True, **fields),
        Unit(name="stenod@hall", active="failed", **fields),
    ]

    async def found() -> list[Unit]:
        return units

    monkeypatch.setattr(systemctl, "units", found)
    marks = []
    for within in (None, ("stenod", True), ("stenod@hall", False), ("stenod@none", False)):
        *_, last = surroundings(within)
        marks.append((await last.examine()).mark)
    assert [Mark.WRONG, Mark.GOOD, Mark.WRONG, Mark.SKIPPED] == marks


async def test_offline_sends_nothing(tmp_path: Path) -> None:
    """Name, connection and session are left out; the key is looked at."""
    alone = case(tmp_path, {"DEEPGRAM_API_KEY": KEY + KEY[:8]})
    alone.offline = True
    found, _ = await walked(*ProviderExamination(alone, "deepgram").steps())
    assert skipped("offline") == found["deepgramname"] == found["deepgramconnection"] == found["deepgramsession"]
    assert Mark.GOOD is found["deepgramkey"].mark


async def test_an_account_with_one_session_is_left_to_who_runs(tmp_path: Path) -> None:
    """A second one might cost the running one its place."""
    own = {"assemblyai__endpoint": "ws://127.0.0.1:9", "supervisor__one_session": True}
    chosen = case(tmp_path, state_dir=str(tmp_path / "journal"), **own)
    held = named(tmp_path / "journal")
    found = await ProviderExamination(chosen, "assemblyai").session()
    held.release()
    assert skipped("a running stenod has the account's one session") == found
    assert Mark.WRONG is (await ProviderExamination(chosen, "assemblyai").session()).mark


async def test_a_proxy_is_not_used(tmp_path: Path) -> None:
    """Where only one leads out, that is why."""
    environment = {"HTTPS_PROXY": "http://proxy.example:3128"}
    chosen = case(tmp_path, environment, assemblyai__endpoint="ws://127.0.0.1:9")
    found = await ProviderExamination(chosen, "assemblyai").connection()
    assert found.remedy.endswith("stenod goes through no proxy, and HTTPS_PROXY is set")
    steps = {one.name: one for one in ProviderExamination(chosen, "assemblyai").steps()}
    assert steps["connection"].late.endswith("HTTPS_PROXY is set")


async def test_nothing_listens(tmp_path: Path) -> None:
    """A port that nobody has."""
    chosen = case(tmp_path, assemblyai__endpoint="ws://127.0.0.1:9")
    found = await ProviderExamination(chosen, "assemblyai").connection()
    assert (Mark.WRONG, 69) == (found.mark, found.exit_code)
    assert "nothing listens on that port" in found.text
    assert "Check the endpoint" in found.text


Fact = Callable[[Case], Awaitable[Finding]]


async def audio(chosen: Case) -> tuple[Finding, Finding]:
    """Return what is found of the source, and of its level."""
    source = SourceExamination(chosen)
    return await source.audio(), await source.level()


async def test_the_sample_is_heard(tmp_path: Path) -> None:
    """A source that is a file."""
    heard, level = await audio(case(tmp_path, capture__input="sample"))
    assert "the sample gave audio after" in heard.text
    assert "16000 Hz, 1 channel" in heard.text
    assert (Mark.GOOD, "level -24 dB") == (level.mark, level.text.partition(",")[0])


async def test_a_command_that_writes_zeros(tmp_path: Path) -> None:
    """It is heard, and it is muted."""
    chosen = case(tmp_path, capture__input="command:head -c 64000 /dev/zero")
    heard, level = await audio(chosen)
    assert Mark.GOOD is heard.mark
    assert (Mark.WRONG, 66) == (level.mark, level.exit_code)


async def test_each_channel_has_its_level(tmp_path: Path) -> None:
    """A muted one among several is named."""
    program = "import sys; sys.stdout.buffer.write(bytes([0, 16, 0, 0]) * 20000)"
    names = {"capture__channel_names": ("judge", "counsel"), "capture__input_channels": 2}
    heard, level = await audio(case(tmp_path, capture__input=f"command:python3 -c '{program}'", **names))
    assert "2 channels" in heard.text
    assert Mark.WRONG is level.mark
    assert level.text.startswith("default-counsel: exact zeros")
    assert "judge" not in level.text


async def test_channels_without_names_are_told(tmp_path: Path) -> None:
    """What would keep the run from starting is found."""
    soundfile.write(tmp_path / "two.wav", np.zeros((RATE, 2)), RATE)
    chosen = case(tmp_path, capture__input=str(tmp_path / "two.wav"), capture__channel_names=("judge",))
    found = await SourceExamination(chosen).audio()
    assert (Mark.WRONG, 78) == (found.mark, found.exit_code)
    assert "give each channel one name" in found.text


@pytest.mark.parametrize(
    ("chosen", "told", "code"),
    [
        ("none", "skipped: the input is none", 0),
        ("missing.wav", "missing.wav", 66),
        ("command:false", "; run the command by itself and look at what it says", 66),
    ],
)
async def test_a_source_that_gives_nothing(chosen: str, told: str, code: int, tmp_path: Path) -> None:
    """Each with what to do."""
    found = await SourceExamination(case(tmp_path, capture__input=chosen)).audio()
    assert told in str(found)
    assert code == found.exit_code


async def test_a_microphone_that_another_program_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On plain ALSA it seems not to be there: that is in use, not broken. A sound server has it rightly."""
    for name in ("ALSA_CONFIG_PATH", "PULSE_SERVER", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "asound.conf"))
    (tmp_path / "asound.conf").write_text("</usr/share/alsa/alsa.conf>\n")
    held = [Recording("USB Audio", 4711, "stenod")]
    monkeypatch.setattr("stenod.edge.alsa.recordings", lambda: held)
    found = await SourceExamination(case(tmp_path)).audio()
    assert (Mark.ODD, 0) == (found.mark, found.exit_code)
    assert "'USB Audio' is in use by stenod (process 4711), and plain ALSA lets one program record" in found.text
    held[:] = [Recording("USB Audio", 4712, "pipewire")]
    found = await SourceExamination(case(tmp_path)).audio()
    assert (Mark.WRONG, 69) == (found.mark, found.exit_code)
    assert found.text.startswith("no microphone: ")


def left_in(folder: Path) -> list[Path]:
    """Return what was left in a folder."""
    return sorted(folder.iterdir())


async def test_the_place_of_the_journal(tmp_path: Path) -> None:
    """The one that is named, or where temporary ones are made; its disk is measured once."""
    named = MachineExamination(case(tmp_path, state_dir=str(tmp_path / "journal")))
    assert f"{tmp_path}/journal will be made" == (await named.state()).text
    assert "hours of audio can wait" in (await named.disk()).text or "must stay free" in (await named.disk()).text
    temporary = MachineExamination(case(tmp_path))
    assert "--state-dir keeps the journal" in (await temporary.state()).text
    assert [] == left_in(tmp_path)
