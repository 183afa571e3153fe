"""stenod as a service of a real systemd, on a machine of its own: killed, frozen, held, reloaded, stopped, taken off.

Each test is an instance with its own provider; all hear the same microphone, in which the oracle speaks, and run beside
each other. What is printed is held against the audio that the journal has (`room`): each whole word once, at its time.
"""

import json
import shlex
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from daemon import Beside, pending_seconds, run_together, together
from machine import LOOK_SECONDS, PROGRAM, ROOT, SOUND_SERVER, Machine
from room import check_captured, kept, once, spoken_in
from server import KEY, Emulator, emulator, fault, speech

pytestmark = [pytest.mark.real, pytest.mark.slow]

SPEECH_SECONDS = 240.0
START_APART_SECONDS = 1.0
DRAIN_SECONDS_MAX = 10.0
WRONG_KEY = "wr0ng-key-of-nobody-4b7e91"
LIVE_WORDS = "transcribing with assemblyai; "


@pytest.fixture(scope="module")
def beside(request: pytest.FixtureRequest, require: Callable[[str], None], machine: Machine) -> Iterator[Beside]:
    """What became of the tests, on a machine into whose microphone somebody speaks all the time."""
    machine.sound.load_microphone()
    machine.sound.play(speech(SPEECH_SECONDS))
    yield from run_together(request, require, machine=machine)


@dataclass(slots=True)
class Service:
    """One instance, its provider and its files."""

    machine: Machine
    name: str
    server: Emulator
    user: str = ""

    @property
    def unit(self) -> str:
        """What systemd calls it."""
        return f"stenod@{self.name}.service" if self.name else "stenod.service"

    @property
    def label(self) -> str:
        """What its files are called."""
        return self.name or "stenod"

    @property
    def home(self) -> str:
        """Where its person has files."""
        return f"/home/{self.user}" if self.user else "/root"

    @property
    def journal(self) -> Path:
        """Its journal, as the host sees it."""
        own = f"home/{self.user}/.local/state" if self.user else "var/lib/private"
        return self.machine.root / own / (f"stenod-{self.name}" if self.name else "stenod")

    def give(self, path: str, text: str) -> str:
        """Put a file on the machine."""
        place = self.machine.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return path

    def configuration(self, more: str = "") -> str:
        """Make a configuration that keeps all audio."""
        text = (
            f'providers = ["assemblyai"]\n[journal]\nkeep_audio = true\n[assemblyai]\nendpoint = "{self.server.url}"\n'
        )
        return self.give(f"{self.home}/{self.label}.toml", text + more)

    def key(self, key: str) -> str:
        """Make a file with a key."""
        return self.give(f"{self.home}/{self.label}.key", key + "\n")

    async def service(self, word: str, *words: str, check: bool = True, given: str = "") -> str:
        """Run `stenod service WORD`."""
        own = ["--user"] if self.user else []
        named = ["--name", self.name] if self.name else []
        call = [PROGRAM, "service", word, *own, *named, *words]
        async with self.machine.units:
            return await self.machine.run(*call, user=self.user, check=check, given=given)

    async def install(self, key: str, *words: str, more: str = "") -> str:
        """Install it with its configuration, and a key by credential."""
        own = ["--config", self.configuration(more), "--key-file", self.key(key), "--sound-server", SOUND_SERVER]
        return await self.service("install", *own, *words)

    async def control(self, word: str, *words: str) -> str:
        """Run `systemctl WORD`."""
        own = ["--user"] if self.user else []
        return await self.machine.run("systemctl", *own, word, self.unit, *words, user=self.user)

    async def add(self, *lines: str) -> None:
        """Add lines to the unit, in a file of the person's own."""
        self.give(f"/etc/systemd/system/{self.unit}.d/own.conf", "\n".join(["[Service]", *lines, ""]))
        async with self.machine.units:
            await self.machine.run("systemctl", "daemon-reload")

    async def until(self, condition: Callable[[dict[str, str]], Any], seconds: float = 60.0) -> dict[str, str]:
        """Return what systemd knows of it once that meets a condition."""
        return await self.machine.until(self.unit, condition, user=self.user, seconds=seconds)

    async def finals(self, count: int) -> list[dict[str, Any]]:
        """Return what it has printed once there are so many finals."""
        with trio.fail_after(60.0):
            while True:
                printed = await self.machine.printed(self.unit, self.user)
                if sum(record["type"] == "final" for record in printed) >= count:
                    return printed
                await trio.sleep(LOOK_SECONDS)

    async def check_words(self, printed: list[dict[str, Any]] | None = None) -> None:
        """It has stopped; all that it recorded was printed, each word once, and the journal knows of nothing else."""
        assert 0.0 == pending_seconds(self.journal)
        found = await self.machine.printed(self.unit, self.user) if printed is None else printed
        printed = once([one for one in found if "id" in one])
        captured = spoken_in(kept(self.journal))
        assert len(captured) > 10
        check_captured(captured, printed, self.server)
        assert [] == [one for one in printed if one.get("subject") == "device"]


@asynccontextmanager
async def service(
    place: Path, machine: Machine, name: str, *, user: str = "", key: str = KEY, faults: str = ""
) -> AsyncIterator[Service]:
    """Run a provider on the machine, for an instance that is stopped when it goes."""
    through = machine.enter(network_only=True)
    async with emulator(place / "server", "--key", key, faults=faults, through=through) as server:
        one = Service(machine, name, server, user)
        try:
            yield one
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(30.0):
                own = ["--user"] if user else []
                await machine.run("systemctl", *own, "kill", "-s", "KILL", one.unit, user=user, check=False)
                async with machine.units:
                    await machine.run("systemctl", *own, "disable", "--now", one.unit, user=user, check=False)


def live(shown: dict[str, str]) -> bool:
    """Whether it runs and says that it transcribes."""
    return shown["ActiveState"] == "active" and shown["StatusText"].startswith(LIVE_WORDS)


@together
async def test_killed_it_comes_back_and_taken_off_it_leaves_nothing(place: Path, machine: Machine) -> None:
    """Installed by one command; SIGKILL; stopped within the drain, with a goodbye; logs have levels and fields."""
    async with service(place, machine, "") as one:
        said = await one.install(KEY)
        assert f"started {one.unit}" in said
        assert "(for this machine only)" in said
        again = await one.service("install")
        assert f"nothing to do: {one.unit} is installed and active" == again.splitlines()[-1]
        await one.until(live)
        looked = await one.service("status")
        assert f"does: {LIVE_WORDS}" in looked
        await one.finals(2)

        await one.control("kill", "--signal=KILL", "--kill-who=main")
        shown = await one.until(lambda shown: shown["NRestarts"] == "1" and live(shown))
        assert "active" == shown["ActiveState"]
        before = len(await one.finals(1))
        await one.finals(before + 2)

        began = time.monotonic()
        await one.control("stop")
        assert time.monotonic() - began < DRAIN_SECONDS_MAX
        shown = await one.until(lambda shown: shown["ActiveState"] == "inactive")
        assert ("success", "0") == (shown["Result"], shown["ExecMainStatus"])
        assert "client" == one.server.of("ended")[-1]["by"]
        assert 1 == len(one.server.of("terminate"))
        await one.check_words()
        await check_log(one)

        told = await one.service("uninstall")
        assert 2 == sum(line.startswith("kept ") for line in told.splitlines())
        await one.service("uninstall", "--purge", "--yes")
        folders = ("etc/systemd/system", "etc/systemd/system/multi-user.target.wants", "var/lib/private", "var/lib")
        left = [path.name for folder in folders for path in (machine.root / folder).glob("stenod*")]
        left += [path.name for path in (machine.root / "etc/stenod").glob("stenod*")]
        assert [] == [name for name in left if not name.startswith(("stenod@", "stenod-"))]
        assert "not-found" == (await machine.show(one.unit))["LoadState"]
        await check_page(one)


async def check_page(one: Service) -> None:
    """The commands of the page for the host: by hand it runs as well, and what is for every day works."""
    root = one.machine.root
    text = (ROOT / "systemd" / "README.md").read_text()
    by_hand, key = blocks(text.partition("## By hand")[2])
    shutil.copytree(ROOT / "systemd", root / "clone" / "systemd")
    (root / "clone" / "config").mkdir()
    shutil.copy(root / one.configuration().lstrip("/"), root / "clone" / "config")
    asked = "systemd-ask-password -n 'Key:'"
    assert any(asked in line for line in key)
    typed = [line.replace(asked, f"printf {KEY}") for line in key]
    heard = [
        "cp systemd/sound-server.conf /etc/systemd/system/stenod.service.d/",
        f"echo Environment=PULSE_SERVER={SOUND_SERVER} >> /etc/systemd/system/stenod.service.d/sound-server.conf",
    ]
    async with one.machine.units:
        await one.machine.run("sh", "-ec", "\n".join(["cd /clone", *by_hand[:-1], *typed, *heard, by_hand[-1]]))
    await one.until(live)
    await one.finals(1)
    (daily,) = blocks(text.partition("## Every day")[2].partition("\n## ")[0])
    for line in daily:
        said = await one.machine.run("sh", "-c", f"PATH=/usr/local/bin:$PATH; {line.replace(' -f ', ' ')}", check=False)
        assert said.startswith("0\n"), (line, said)
        assert len(said) > 10 or line.startswith(("systemctl re", "journalctl _TRANSPORT=journal")), line
    await one.until(live)


def blocks(text: str) -> list[list[str]]:
    """Return the indented blocks of a page, line by line."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        indented = line.startswith("    ")
        if indented and not inside:
            found.append([])
        if indented:
            found[-1].append(line.strip())
        inside = indented
    return found


async def check_log(one: Service) -> None:
    """The journal has levels and fields, and what was printed by itself."""
    entries = [
        entry for entry in await one.machine.journal("-u", one.unit, "_TRANSPORT=journal") if "STENOD_EVENT" in entry
    ]
    opened = next(entry for entry in entries if entry["STENOD_EVENT"] == "session.opened")
    assert ("6", "stenod", "default") == tuple(
        opened[name] for name in ("PRIORITY", "SYSLOG_IDENTIFIER", "STENOD_STREAM")
    )
    assert opened["MESSAGE"].startswith("session.opened ")
    assert [] == [entry for entry in entries if entry["PRIORITY"] not in "3467" or entry["_SYSTEMD_UNIT"] != one.unit]
    texts = {word["text"] for line in await one.finals(1) if line["type"] == "final" for word in line["words"]}
    assert texts
    assert [] == [entry["MESSAGE"] for entry in entries if texts & set(entry["MESSAGE"].split())]


@together
async def test_frozen_it_is_killed_and_started_again(place: Path, machine: Machine) -> None:
    """The watchdog, in a third of the time that the unit gives; nothing is missing of what was recorded."""
    async with service(place, machine, "frozen") as one:
        await one.install(KEY, "--no-start")
        await one.add("WatchdogSec=4")
        await one.control("start")
        await one.until(live)
        await one.finals(2)
        await one.control("kill", "--signal=STOP", "--kill-who=main")
        await one.until(lambda shown: shown["NRestarts"] == "1" and live(shown))
        (entry,) = await machine.journal("-u", one.unit, "-g", "Watchdog timeout")
        assert one.unit in entry["MESSAGE"]
        await one.finals(len(await one.finals(1)) + 2)
        await one.control("stop")
        await one.check_words()


@together
async def test_with_a_wrong_key_it_records_on(place: Path, machine: Machine) -> None:
    """Held, with the remedy in its status; a new credential, and all is transcribed from the first sample.

    And neither key is anywhere: no log, no property, no command line, no environment, no file of the journal.
    """
    async with service(place, machine, "held") as one:
        await one.install(WRONG_KEY)
        shown = await one.until(lambda shown: shown["StatusText"].startswith("held: "))
        assert ("active", "0") == (shown["ActiveState"], shown["NRestarts"])
        assert "Copy the key again" in shown["StatusText"]
        looked = await one.service("status", check=False)
        assert looked.startswith("1\n")
        assert "does: held: " in looked
        await check_secrets(one)
        await one.until(
            lambda shown: shown["StatusText"].endswith(" s to be transcribed") and "; 0 s" not in shown["StatusText"]
        )
        assert [] == [record for record in await machine.printed(one.unit) if record["type"] == "final"]
        said = await one.service("install", "--key-file", one.key(KEY))
        assert f"restarted {one.unit}" in said
        await one.until(live)
        await one.finals(3)
        await check_secrets(one)
        await one.control("stop")
        await one.check_words()


async def check_secrets(one: Service) -> None:
    """Look for both keys wherever somebody could."""
    machine, secrets = one.machine, (WRONG_KEY, KEY)
    everywhere = {
        "journal": await machine.run("journalctl", "--no-pager", "-a", "-o", "export", "-u", one.unit),
        "properties": await machine.run("systemctl", "show", one.unit),
        "unit": await machine.run("systemctl", "cat", one.unit),
        "status": await machine.run("systemctl", "status", "-l", one.unit),
    }
    (main,) = (await machine.run("systemctl", "show", one.unit, "-p", "MainPID", "--value")).split()
    processes = (
        await machine.run("cat", f"/sys/fs/cgroup/system.slice/system-stenod.slice/{one.unit}/cgroup.procs")
    ).split()
    assert main in processes
    assert len(processes) > 1, "no microphone"
    seen = [(pid, name) for pid in processes for name in ("cmdline", "environ")]
    for pid, name in seen:
        told = await machine.run("cat", f"/proc/{pid}/{name}", check=False)
        everywhere |= {f"{name} of {pid}": told} if told.startswith("0\n") else {}  # else it has ended since
    assert any("stenod.edge.microphone" in text for where, text in everywhere.items() if where.startswith("cmdline"))
    files = [path for path in one.journal.rglob("*") if path.is_file()]
    files += [path for path in (machine.root / "etc").rglob(f"*{one.name}*") if path.is_file()]
    assert len(files) > 3
    everywhere |= {str(path): path.read_bytes().decode("latin-1") for path in files}
    assert "held" in everywhere["status"] or "transcribing" in everywhere["status"]
    assert [] == [where for where, text in everywhere.items() for secret in secrets if secret in text]


@together
async def test_doctor_sees_what_the_service_sees(place: Path, machine: Machine) -> None:
    """Beside the running service, which it leaves alone: key by systemd, microphone of the sound server, journal.

    By itself it sees neither of them, and says how; a credential that cannot be read is told.
    """
    async with service(place, machine, "examined") as one:
        await one.install(KEY)
        before = await one.until(live)
        owner = one.journal.stat().st_uid
        found = await examined(one, 0)
        assert "from systemd credential assemblyai" in found["key"]["text"]
        assert "ended in good order" in found["session"]["text"]
        assert "microphone 'default' (the default one) gave audio" in found["audio"]["text"]
        assert "/var/lib/stenod-examined is in use by a running stenod" in found["state"]["text"]
        shown = await one.until(live)
        assert (before["MainPID"], owner) == (shown["MainPID"], one.journal.stat().st_uid)
        await one.finals(len(await one.finals(1)) + 1)
        assert KEY not in await machine.run("journalctl", "--no-pager", "-a", "-o", "export", "-g", "stenod-doctor")

        alone = await examined(one, 77, "--config", "/etc/stenod/examined.toml")
        assert ("odd", "wrong") == (alone["key"]["mark"], alone["audio"]["mark"])
        assert "`sudo stenod doctor --service --name examined` examines" in alone["key"]["remedy"]

        one.give("/etc/stenod/examined.assemblyai.cred", "broken")
        told = await machine.run(PROGRAM, "doctor", "--service", "--name", "examined", check=False)
        assert told.startswith("69\n")
        assert "systemd cannot give it the key of stenod@examined.service (status 243)" in told


async def examined(one: Service, code: int, *words: str) -> dict[str, dict[str, Any]]:
    """Return what doctor finds, by the step; without words as the service, with this exit code."""
    named = ["--service", "--name", one.name, *(["--user"] if one.user else [])]
    said = await one.machine.run(PROGRAM, "doctor", "--json", *(words or named), user=one.user, check=False)
    first, _, told = said.partition("\n")
    assert str(code) == first, said
    return {found["step"]: found for found in json.loads(told)["findings"]}


@together
async def test_a_key_file_is_read_again_on_reload(place: Path, machine: Machine) -> None:
    """The same process goes on, and transcribes from the first sample; what needs a restart is told."""
    async with service(place, machine, "renewed") as one:
        file = one.give("/etc/stenod/renewed.file", WRONG_KEY)
        await machine.run("chgrp", "audio", file)
        await machine.run("chmod", "0640", file)
        own = ["--config", one.configuration(f'key_file = "{file}"\n'), "--sound-server", SOUND_SERVER]
        await one.service("install", *own)
        assert "Credential" not in (machine.root / f"etc/systemd/system/{one.unit}.d/installed.conf").read_text()
        held = await one.until(lambda shown: shown["StatusText"].startswith("held: "))
        one.give(file, KEY)
        await one.control("reload")
        shown = await one.until(live)
        assert (held["MainPID"], "0") == (shown["MainPID"], shown["NRestarts"])
        await one.finals(3)
        await one.control("stop")
        await one.check_words()


@together
async def test_a_wrong_configuration_is_not_restarted(place: Path, machine: Machine) -> None:
    """Exit status 78; the journal says which line it is, as an error."""
    async with service(place, machine, "broken") as one:
        refused = await one.service("install", "--config", one.configuration("[pacer]\nchunk_ms = 3\n"), check=False)
        assert refused.startswith("78\n")
        assert "chunk_ms" in refused
        await one.install(KEY, "--no-start")
        one.give("/etc/stenod/broken.toml", "# One\n# Two\n[pacer]\nchunk_ms = 3\n")
        await machine.run("systemctl", "start", one.unit, check=False)
        shown = await one.until(lambda shown: shown["ActiveState"] == "failed")
        assert ("exit-code", "78", "0") == tuple(shown[name] for name in ("Result", "ExecMainStatus", "NRestarts"))
        entries = await machine.journal("-u", one.unit, "PRIORITY=3", "_TRANSPORT=journal")
        assert any("pacer.chunk_ms: 3 is out of range" in entry["MESSAGE"] for entry in entries)
        assert any("broken.toml:4" in entry["MESSAGE"] for entry in entries)
        looked = await one.service("status", check=False)
        assert looked.startswith("1\n")
        assert "exit status 78" in looked


@together
async def test_lines_in_a_file_are_rotated(place: Path, machine: Machine, require: Callable[[str], None]) -> None:
    """By the shipped file, through the real logrotate; elsewhere the unit cannot write, records, and says where it can.

    The folder is its user's alone. Taken off, it keeps the files; purged, it keeps nothing.
    """
    require("logrotate")
    async with service(place, machine, "filed") as one:
        config = '[output]\nfile = "/var/{}/talk.jsonl"\n'
        await one.install(KEY, "--no-start", more=config.format("spool"))
        await machine.run("systemctl", "start", one.unit, check=False)
        told = "its LogsDirectory= only (/var/log/stenod): name a file there; transcribing"
        await one.until(lambda shown: shown["ActiveState"] == "active" and told in shown["StatusText"])

        text = (machine.root / one.configuration().lstrip("/")).read_text() + config.format("log/stenod-filed")
        one.give("/etc/stenod/filed.toml", text)
        await one.control("restart")
        await one.until(live)
        folder = machine.root / "var" / "log" / "stenod-filed"
        path, old = folder / "talk.jsonl", folder / "talk.jsonl.1"
        assert folder.is_symlink()
        await finals_in(path, 2)
        assert [0o700, 0o600] == [one.stat().st_mode & 0o777 for one in (folder, path)]
        await rotate(one, place)
        await finals_in(path, 2)
        assert path.stat().st_uid == old.stat().st_uid == folder.stat().st_uid != 0
        await one.control("stop")
        await one.check_words(lines_of(old) + lines_of(path))
        assert [] == await machine.printed(one.unit)
        told = await one.service("uninstall")
        assert "kept /var/log/stenod-filed, the files of lines" in told
        await one.service("uninstall", "--purge", "--yes")
        assert [] == list((machine.root / "var" / "log").glob("**/stenod-filed*"))


async def rotate(one: Service, place: Path) -> None:
    """Call the host's logrotate for the machine's files; it hangs up on this instance, not on those beside it."""
    text = (ROOT / "config" / "stenod.logrotate").read_text()
    enter = shlex.join(one.machine.enter("systemctl"))
    for shipped, here in (
        ("/var/log/", f"{one.machine.root}/var/log/"),
        (" systemctl kill", f" {enter} kill"),
        ("'stenod*.service' || true", f"'stenod@{one.name[:-1]}*.service'"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    (place / "logrotate.conf").write_text(text)
    (place / "logrotate.conf").chmod(0o644)
    words = ["logrotate", "--force", "--state", str(place / "logrotate.state"), str(place / "logrotate.conf")]
    done = await trio.run_process(words, capture_stdout=True, capture_stderr=True)
    assert (b"", b"") == (done.stdout, done.stderr)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


async def finals_in(path: Path, count: int) -> None:
    """Return when a file has so many finals."""

    def found() -> int:
        return sum(one["type"] == "final" for one in lines_of(path)) if path.exists() else 0

    with trio.fail_after(60.0):
        while found() < count:  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(LOOK_SECONDS)


@together
async def test_without_a_network_it_starts_and_stops_in_its_own_time(place: Path, machine: Machine) -> None:
    """Neither the machine's start nor its end is held up, and what was recorded waits for the next start."""
    async with service(place, machine, "alone") as one:
        one.server.url = "ws://127.0.0.1:9"
        await one.install(KEY, "--no-start")
        began = time.monotonic()
        await one.control("start")
        assert time.monotonic() - began < 60.0
        shown = await one.until(lambda shown: shown["ActiveState"] == "active")
        assert "0" == shown["NRestarts"]
        await one.until(lambda shown: " s to be transcribed" in shown["StatusText"])
        async with machine.units:
            began = time.monotonic()
            await one.control("stop")
            assert time.monotonic() - began < DRAIN_SECONDS_MAX - 2.0
        shown = await one.until(lambda shown: shown["ActiveState"] == "inactive")
        assert ("success", "0") == (shown["Result"], shown["ExecMainStatus"])
        assert kept(one.journal)
        (entry,) = await machine.journal("-u", one.unit, "-g", "of audio wait in .*the next start goes on")
        assert ("5", "journal") == (entry["PRIORITY"], entry["_TRANSPORT"])
        printed = await machine.journal("-u", one.unit, "_TRANSPORT=stdout")
        assert printed
        assert all(json.loads(entry["MESSAGE"])["stream"] == "default" for entry in printed), "the transcript alone"


@together
async def test_a_drain_is_not_cut_off(place: Path, machine: Machine) -> None:
    """A provider that has stalled is waited for, longer than the unit allows a stop to take."""
    async with service(place, machine, "slow", faults=fault(kind="mute", audio=1.0)) as one:
        await one.install(KEY, "--no-start")
        await one.add("TimeoutStopSec=4")
        await one.control("start")
        await one.until(live)
        with trio.fail_after(60.0):
            while not one.server.of("struck"):  # noqa: ASYNC110 - a file tells nobody
                await trio.sleep(LOOK_SECONDS)
        async with machine.units:
            began = time.monotonic()
            await one.control("stop")
            assert time.monotonic() - began > 6.0
        shown = await one.until(lambda shown: shown["ActiveState"] == "inactive")
        assert ("success", "0") == (shown["Result"], shown["ExecMainStatus"])
        assert 1 == len(one.server.of("terminate"))


@together
async def test_a_user_has_a_service_of_their_own(place: Path, machine: Machine) -> None:
    """Without root, in a manager that lingers: installed, killed, back again, and taken off."""
    await machine.run("useradd", "--create-home", "anna")
    await machine.run("loginctl", "enable-linger", "anna")
    await machine.until(f"user@{machine.uid('anna')}.service", lambda shown: shown["ActiveState"] == "active")
    async with service(place, machine, "desk", user="anna") as one:
        config = one.configuration()
        await machine.run("chown", "-R", "anna:", one.home)
        said = await one.service(
            "install", "--config", config, "--key-file", "-", "--sound-server", SOUND_SERVER, given=KEY
        )
        assert "not encrypted" in said
        assert "linger" not in said
        await one.until(live)
        await one.finals(1)
        found = await examined(one, 0)
        assert "from systemd credential assemblyai" in found["key"]["text"]
        assert "good" == found["audio"]["mark"] == found["session"]["mark"]
        for word in ("health", "status"):
            asked = await machine.run(PROGRAM, word, user="anna", check=False)
            assert asked.startswith("64\n")
            assert f"installed: {one.home}/.local/state/stenod-desk (stenod@desk.service)" in asked
        await one.control("kill", "--signal=KILL", "--kill-who=main")
        await one.until(lambda shown: shown["NRestarts"] == "1" and live(shown))
        await one.finals(len(await one.finals(1)) + 1)
        await one.control("stop")
        await one.check_words()
        await one.service("uninstall", "--purge", "--yes")
        assert [] == list((machine.root / one.home.lstrip("/")).rglob("*stenod*/*"))


@together
async def test_root_is_needed_for_the_systems(place: Path, machine: Machine) -> None:
    """Whoever is not is told what to say instead."""
    await machine.run("useradd", "--create-home", "bert")
    said = await machine.run(PROGRAM, "service", "install", user="bert", check=False)
    assert said.startswith("77\n")
    assert "say `sudo`, or --user" in said
    said = await machine.run(PROGRAM, "service", "install", "--user", user="bert", check=False)
    assert said.startswith("69\n")
    assert "enable-linger" in said
