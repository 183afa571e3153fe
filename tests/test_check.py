"""`stenod check`: what it shows, what it warns of, when it fails."""

import errno
import json
import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stenod.check import check, examine, oddities
from stenod.config import Options, load

KEY = "0123456789abcdef0123456789abcdef"
EXAMPLES = sorted((Path(__file__).parent.parent / "config" / "examples").glob("*.toml"))
CLEAN = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": None, "ASSEMBLYAI_API_KEY": None, "STATE_DIRECTORY": None}
CLEAN |= {"CREDENTIALS_DIRECTORY": None, "NOTIFY_SOCKET": None, "INVOCATION_ID": None, "STENOD_TEST_ALL": None}


def run(*arguments: str, **environment: str) -> Result:
    """Run the command in an environment that says nothing but this."""
    return CliRunner().invoke(check, arguments, env=CLEAN | environment)


def found(environment: dict[str, str] | None = None, **overrides: object) -> tuple[dict, tuple, tuple]:
    """Return facts, warnings and errors; in `overrides` two underscores are a dot."""
    chosen = {name.replace("__", "."): value for name, value in overrides.items()}
    finding = examine(load(None, {}, chosen), environment or {})
    return dict(finding.facts), finding.warnings, finding.errors


def test_it_prints_a_configuration_that_could_be_a_file(tmp_path: Path) -> None:
    """TOML with each value's origin; reading it gives the same options."""
    result = run("--input", "sample", "--rate", "48000", STENOD_PACER_CHUNK_MS="200")
    assert (result.exit_code, result.stderr) == (0, "")
    assert tomllib.loads(result.stdout)["pacer"]["chunk_ms"] == 200
    (tmp_path / "again.toml").write_text(result.stdout)
    again = load(tmp_path / "again.toml").options
    assert (again.capture.input, again.capture.input_rate, again.pacer.chunk_ms) == ("sample", 48000, 200)
    for line in ("# option --input", "# variable STENOD_PACER_CHUNK_MS", "# default", "# providers: the engine inside"):
        assert line in result.stdout


def test_the_key_is_told_without_being_shown() -> None:
    """Where it is from and how long it is."""
    result = run("--provider", "assemblyai", ASSEMBLYAI_API_KEY=KEY)
    assert result.exit_code == 0
    assert "# key: from environment ASSEMBLYAI_API_KEY, 32 characters" in result.stdout
    assert KEY not in result.output


def test_all_errors_are_told_and_the_exit_code_is_78(tmp_path: Path) -> None:
    """One line each on standard error."""
    (tmp_path / "bad.toml").write_text("[pacer]\nchunk_ms = 1\nrate_ratio_max = 9\n")
    result = run("--config", str(tmp_path / "bad.toml"))
    assert result.exit_code == 78
    assert [line.split(";")[0] for line in result.stderr.splitlines()] == [
        "stenod: pacer.chunk_ms: 1 is out of range",
        "stenod: pacer.rate_ratio_max: 9 is out of range",
    ]
    assert run("--config", str(tmp_path / "missing.toml")).exit_code == 78


def test_json_has_values_origins_and_findings() -> None:
    """One object, also where something is wrong."""
    result = run("--json", "--provider", "assemblyai", "--stream", "hall")
    answer = json.loads(result.stdout)
    assert result.exit_code == 78
    assert answer["options"]["stream"] == {"value": "hall", "origin": "option --stream"}
    assert len(answer["options"]) == len(load().origins)
    assert not answer["ok"]
    assert answer["errors"][0].startswith("cannot find the key of assemblyai")
    answer = json.loads(run("--json", "--stream", "a b").stdout)
    assert (answer["ok"], answer["options"], len(answer["errors"])) == (False, {}, 1)
    assert json.loads(run("--json").stdout)["ok"]


def test_a_missing_key_stops_a_command_but_not_a_recording(tmp_path: Path) -> None:
    """Where fatal means hold, the audio goes on, so it is a warning; a server of one's own may want no key."""
    _, warnings, errors = found(providers=["assemblyai"])
    assert (len(warnings), len(errors)) == (0, 1)
    service = {"NOTIFY_SOCKET": "/run/notify", "STATE_DIRECTORY": str(tmp_path)}
    facts, warnings, errors = found(service, providers=["assemblyai"])
    assert (len(warnings), len(errors)) == (1, 0)
    assert (facts["runs"], facts["on fatal"], facts["key"]) == ("as a service", "hold: keep recording", "none")
    _, warnings, errors = found(assemblyai__endpoint="ws://127.0.0.1:8080")
    assert (len(warnings), len(errors)) == (1, 0)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_ready_examples_are_accepted(path: Path) -> None:
    """With a key, without a word."""
    result = run("--config", str(path), ASSEMBLYAI_API_KEY=KEY)
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_key_that_cannot_be_used_is_an_error() -> None:
    """It is not the same as none."""
    facts, _, errors = found({"ASSEMBLYAI_API_KEY": "two words"}, providers=["assemblyai"])
    assert facts["key"] == "cannot be used"
    assert "it has spaces" in errors[0]


def test_the_dialect_has_its_say() -> None:
    """What AssemblyAI would ignore without a word is a warning, what cannot work an error."""
    key = {"ASSEMBLYAI_API_KEY": KEY}
    _, warnings, errors = found(key, providers=["assemblyai"], assemblyai__parameters={"keyterm_prompt": ["a"]})
    assert errors == ()
    assert warnings[0].startswith("assemblyai.parameters.keyterm_prompt: ")
    hidden = {"webhook_auth_header_value": "x"}
    _, _, errors = found(key, providers=["assemblyai"], assemblyai__parameters=hidden)
    assert errors[0].startswith("assemblyai.parameters.webhook_auth_header_value: ")


def test_a_key_in_place_of_its_file_is_not_shown(tmp_path: Path) -> None:
    """Neither among the options nor in what is wrong."""
    (tmp_path / "stenod.toml").write_text('[assemblyai]\nkey_file = "SECRETKEY0123456789"\n')
    for more in ((), ("--json",)):
        result = run("--config", str(tmp_path / "stenod.toml"), *more)
        assert (result.exit_code, "SECRET" in result.output) == (78, False)
        assert "looks like the key itself" in result.output


@pytest.mark.parametrize(
    ("overrides", "warning"),
    [
        ({"capture__input": "talk.flac"}, "there is no file 'talk.flac' (capture.input, option --input)"),
        ({"capture__input": "command:no-such-program x"}, "there is no command 'no-such-program' (capture.input"),
        ({"output__file": "nowhere/talk.jsonl"}, "there is no directory for 'nowhere/talk.jsonl' (output.file, option"),
        ({"capture__input_rate": 8000}, "capture.input_rate (option --rate) has no effect"),
        ({"capture__input_channels": 2}, "capture.input_channels (option --channels) has no effect"),
    ],
)
def test_what_is_odd_about_the_input_is_a_warning(overrides: dict[str, object], warning: str) -> None:
    """It may be there when stenod runs."""
    _, (told,), errors = found(**overrides)
    assert told.startswith(warning)
    assert errors == ()


@pytest.mark.parametrize("text", ["-", "command:sh -c true", "sample", "mic", "none", __file__])
def test_what_is_fine_is_not_warned_of(text: str) -> None:
    """No warning without a reason."""
    assert found(capture__input=text)[1:] == ((), ())


def test_a_folder_that_only_the_service_may_see_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /var/log/stenod, which leads into a folder that is closed to all but root."""

    def closed(path: Path) -> os.stat_result:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "stat", closed)
    assert () == tuple(oddities(load(None, {}, {"output.file": str(tmp_path / "closed" / "talk.jsonl")})))


def test_where_the_journal_lives_is_told(tmp_path: Path) -> None:
    """A file in its place is an error; a service without a place is warned."""
    (tmp_path / "file").write_text("")
    assert found()[0]["state"] == "a temporary directory"
    assert found({"STATE_DIRECTORY": "/var/lib/stenod"})[0]["state"] == "/var/lib/stenod"
    assert found(state_dir=str(tmp_path / "file"))[2][0].endswith("it is a file; name a directory (state_dir)")
    _, (warning,), _ = found({"NOTIFY_SOCKET": "/run/notify"})
    assert "StateDirectory=" in warning


def test_a_missing_engine_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is a command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert found()[2][0].endswith("`pip install 'stenod[local]'`")
    assert found({"ASSEMBLYAI_API_KEY": KEY}, providers=["assemblyai"])[2] == ()


def test_it_changes_nothing() -> None:
    """The same options go in and out."""
    assert load().options == Options()


def test_a_file_of_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    """It is looked at before anybody relies on it."""
    _, _, errors = found(tls__ca_file=str(tmp_path / "ca.pem"))
    assert errors[0].startswith(f"cannot read tls.ca_file {tmp_path / 'ca.pem'}: No such file")


def test_the_streams_that_channels_become_are_told() -> None:
    """Which channel is whose, before anything is recorded under the wrong name."""
    names = {"stream": "court", "capture.input": "mic", "capture.channel_names": ["judge", "counsel"]}
    found = examine(load(None, {}, names), {})
    assert "court-judge (channel 1), court-counsel (channel 2)" == found.facts["streams"]
    assert "streams" not in examine(load(None, {}, {}), {}).facts
