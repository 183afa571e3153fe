"""Configuration: sources, precedence, origins, and everything that can be wrong with it.

`python tests/test_config.py > config/stenod.toml` writes the commented file anew from the options' own explanations.
"""

import ast
import inspect
import itertools
import textwrap
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod import cli, options, values
from stenod.config import (
    ENDPOINT,
    FLAGS,
    ConfigErrors,
    Input,
    InputKind,
    Options,
    holds_on_fatal,
    is_service,
    load,
    option_paths,
    state_directory,
    value_at,
)
from stenod.edge.state_directory import LEDGER_NAME, LOCK_NAME, RESERVE_NAME, WORDS_NAME
from stenod.edge.status_socket import NAME as SOCKET_NAME

OWN_FILES = (LEDGER_NAME, f"{LEDGER_NAME}-wal", LOCK_NAME, RESERVE_NAME, WORDS_NAME, SOCKET_NAME)
CONFIG = Path(__file__).parent.parent / "config"
HEAD = """\
# stenod's configuration: every option, at its default.
#
# To change one, remove the `#` before it. Each can also be set by a variable (STENOD_PACER_CHUNK_MS=200), some by an
# option of the command line; the order is defaults < this file < variables < command line. In a variable a list is
# `one, two` or `["one", "two"]`, a table is written as here or as JSON: `{ numerals = true }`, `{"numerals": true}`.
# `stenod check --config FILE` shows what would be used, from where, and everything that is wrong.
#
# Keys never stand here. A provider's comes from the systemd credential with its name (`assemblyai`, `deepgram`), from a
# file (its `key_file`), or from its variable (ASSEMBLYAI_API_KEY, DEEPGRAM_API_KEY), in that order.
"""


def explanations(kind: type) -> dict[str, str]:
    """Return the docstring of each field of a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body
    found = {}
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
            found[statement.target.id] = inspect.cleandoc(following.value.value)
    return found


def commented(text: str) -> list[str]:
    """Return a text as comment lines of the house's width."""
    return ["# " + line for line in textwrap.wrap(text, 110)]


def render() -> str:
    """Return the commented configuration file that the options describe."""
    lines = [HEAD.rstrip()]
    hints = get_type_hints(Options)

    def write(kind: type, value: object) -> None:
        explained = explanations(kind)
        for one in fields(kind):
            if not is_dataclass(getattr(value, one.name)):
                notation = values.notation(getattr(value, one.name))
                lines.extend(["", *commented(explained[one.name]), f"#{one.name} = {notation}"])

    write(Options, Options())
    for one in fields(Options):
        if is_dataclass(hints[one.name]):
            lines.extend(["", "", *commented(inspect.cleandoc(hints[one.name].__doc__)), f"[{one.name}]"])
            write(hints[one.name], getattr(Options(), one.name))
    return "\n".join(lines) + "\n"


def written(tmp_path: Path, text: str) -> Path:
    """Return a configuration file with this text."""
    path = tmp_path / "stenod.toml"
    path.write_text(textwrap.dedent(text))
    return path


def complaints(path: Path | None = None, environment: dict | None = None, overrides: dict | None = None) -> list[str]:
    """Return what `load` has to say."""
    with pytest.raises(ConfigErrors) as caught:
        load(path, environment or {}, overrides or {})
    assert caught.value.exit_code == 78
    return str(caught.value).splitlines()


def test_sources_override_each_other_and_values_know_where_they_came_from(tmp_path: Path) -> None:
    """Defaults < file < environment < command line, each with its origin."""
    path = written(
        tmp_path,
        """
        stream = "hall"
        [pacer]
        chunk_ms = 60
        rate_ratio_max = 1  # an int where a float is wanted is fine
        [capture]
        rate = 8000
        """,
    )
    environment = {"STENOD_PACER_CHUNK_MS": "70", "STENOD_CAPTURE_RATE": "22050", "STENOD_TEST_ALL": "1", "HOME": "/x"}
    loaded = load(path, environment, {"capture.input": "sample", "capture.input_rate": None, "stream": "stage"})
    assert (loaded.options.stream, loaded.options.pacer.chunk_ms, loaded.options.capture.rate) == ("stage", 70, 22050)
    assert isinstance(loaded.options.pacer.rate_ratio_max, float)
    assert {
        "stream": "option --stream",
        "pacer.chunk_ms": "variable STENOD_PACER_CHUNK_MS",
        "pacer.rate_ratio_max": f"{path}:5",
        "capture.input": "option --input",
        "capture.input_rate": "default",
    }.items() <= loaded.origins.items()
    assert set(option_paths()) == set(loaded.origins)


def test_nothing_said_means_the_defaults() -> None:
    """No file, no variables, no options: `Options()`."""
    assert Options() == load().options


def test_the_commented_file_is_what_the_options_say() -> None:
    """`config/stenod.toml` has each option's explanation and default, and nothing else."""
    assert render() == (CONFIG / "stenod.toml").read_text()


def test_the_commented_file_uncommented_is_the_defaults(tmp_path: Path) -> None:
    """Removing each `#` before an option changes nothing, and no option is missing."""
    lines = (CONFIG / "stenod.toml").read_text().splitlines()
    path = written(tmp_path, "\n".join(line[1:] if line[:1] == "#" and line[1:2].islower() else line for line in lines))
    loaded = load(path)
    assert Options() == loaded.options
    assert [name for name, origin in loaded.origins.items() if origin == "default"] == []
    assert Options() == load(CONFIG / "stenod.toml").options


@pytest.mark.parametrize("path", sorted((CONFIG / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_examples_are_valid_and_say_only_what_differs(path: Path) -> None:
    """Each ready example loads, and none repeats a default."""
    loaded = load(path)
    changed = [name for name, origin in loaded.origins.items() if origin != "default"]
    assert changed
    assert [name for name in changed if value_at(loaded.options, name) == value_at(Options(), name)] == []


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """One run shows all errors, with what is allowed and where it stands."""
    path = written(
        tmp_path,
        """\
        stream = "a b"
        providers = ["asemblyai"]
        chunk_ms = 3
        output = 3
        [captre]
        rate = 1
        [capture]
        raet = 3
        rate = true
        input = "command:'x"
        input_rate = 16
        [pacer]
        chunk_ms = 20
        rate_ratio_max = "fast"
        [assemblyai]
        region = "moon"
        parameters = { a = { b = 1 } }
        [rotation]
        session_seconds_max = 100
        [nonsense]
        """,
    )
    table = "a table of texts, numbers, true or false, and lists of texts"
    allowed = ", ".join(f'"{name}"' for name in cli.PROVIDERS)
    name_rule = "1 to 64 letters, digits, dots, underscores, hyphens; no name of the journal's own files"
    assert [
        f'stream: "a b" is not fit; allowed: {name_rule} ({path}:1)',
        f'providers: "asemblyai" is unknown; allowed: a list of {allowed} ({path}:2)',
        f"chunk_ms: unknown; did you mean `pacer.chunk_ms`? ({path}:3)",
        f"output: 3 is no table; allowed: a table [output] ({path}:4)",
        f"captre.rate: unknown; did you mean `capture.rate`? ({path}:6)",
        f"capture.raet: unknown; did you mean `capture.rate`? ({path}:8)",
        f"capture.rate: true is true or false; allowed: a whole number from 8000 to 48000 ({path}:9)",
        (
            f'capture.input: "command:\'x" cannot be split into words (no closing quotation); '
            f"allowed: mic, mic:NAME, mic:INDEX, sample, -, command:WORDS, none, or a path ({path}:10)"
        ),
        (
            f"capture.input_rate: 16 is out of range; allowed: 0, or a whole number from 4000 to 384000 "
            f"(Hz, not kHz) ({path}:11)"
        ),
        f"pacer.chunk_ms: 20 is out of range; allowed: 0, or a whole number from 50 to 1000 ({path}:13)",
        f'pacer.rate_ratio_max: "fast" is a text; allowed: a number from 1 to 4 ({path}:14)',
        f'assemblyai.region: "moon" is unknown; allowed: "default", "eu", "us" ({path}:16)',
        f"assemblyai.parameters: {{ a = {{ b = 1 }} }} holds something else; allowed: {table} ({path}:17)",
        f"nonsense: unknown; no option has a name like it ({path}:20)",
        (
            "pacer.chunk_ms: 2000 is out of range; allowed: 0, or a whole number from 50 to 1000 "
            "(variable STENOD_PACER_CHUNK_MS)"
        ),
        "STENOD_PACER_CHUNKS_MS: unknown; did you mean `STENOD_PACER_CHUNK_MS`? (environment)",
        'supervisor.on_fatal: "panic" is unknown; allowed: "auto", "exit", "hold" (option --on-fatal)',
        (
            f"rotation.session_seconds_max: 100 leaves nothing before rotation.margin_seconds, which is 300; "
            f"allowed: 0, or more than the margin ({path}:19)"
        ),
    ] == complaints(
        path,
        {"STENOD_PACER_CHUNK_MS": "2000", "STENOD_PACER_CHUNKS_MS": "1"},
        {"supervisor.on_fatal": "panic"},
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('api_key = "{}"', "api_key: a key stands here; keys never stand in the configuration"),
        ('[assemblyai]\nkey = "{}"', "assemblyai.key: a key stands here; keys never"),
        ('[assemblyai]\nkey_file = "{}"', "assemblyai.key_file: this looks like the key itself; allowed: the path"),
        ('[assemblyai.parameters]\ntoken = "{}"', "assemblyai.parameters: `token` is a key; keys never"),
        ('[assemblyai]\nendpoint = "wss://{}@host"', "assemblyai.endpoint: more than a server's address stands here"),
        ('[assemblyai]\nendpoint = "wss://host/?token={}"', "assemblyai.endpoint: more than a server's address"),
        ('[assemblyai]\nregion = "{}"', 'assemblyai.region: "****" is unknown'),
        ('[deepgram]\nkey = "{}"', "deepgram.key: a key stands here; keys never"),
        ('[deepgram.parameters]\ntoken = "{}"', "deepgram.parameters: `token` is a key; keys never"),
    ],
)
@pytest.mark.parametrize("key", ["0123456789abcdef0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0"])
def test_keys_in_the_file_are_errors_that_do_not_show_them(tmp_path: Path, text: str, complaint: str, key: str) -> None:
    """Wherever a key or a temporary token stands in the file, it is refused and not repeated."""
    first, *_ = complaints(written(tmp_path, text.format(key)))
    assert first.startswith(complaint)
    assert key not in first


@pytest.mark.parametrize("key", ["SECRETKEY0123456789", "sk_live_4b7e91Zx81kQw0Lm5pT2", "x1" * 500])
def test_a_key_in_place_of_its_file_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Of whatever service, from the file and from our variable; where a file has that name, it is one."""
    monkeypatch.chdir(tmp_path)
    for found in (
        complaints(written(tmp_path, f'[assemblyai]\nkey_file = "{key}"')),
        complaints(environment={"STENOD_DEEPGRAM_KEY_FILE": key}),
    ):
        assert "key_file: this looks like the key itself; allowed: the path of a file that holds it" in found[0]
        assert key not in "".join(found)
    (tmp_path / key[:200]).touch()
    (tmp_path / "keys").mkdir()
    for name in (key[:200], f"keys/{key[:200]}", "assemblyai.key", "key"):
        text = f'[assemblyai]\nkey_file = "{name}"'
        assert name == load(written(tmp_path, text), {}, {}).options.assemblyai.key_file


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("[1]", "[1] holds something else"), ('"a"', '"a" is a text'), ("true", "true is true or false")],
)
def test_a_list_of_texts_is_called_so(tmp_path: Path, value: str, wrong: str) -> None:
    """Any text may stand in it, so that there are no choices to be listed."""
    (line,) = complaints(written(tmp_path, f"[deepgram]\nkeyterms = {value}"))
    assert line.startswith(f"deepgram.keyterms: {wrong}; allowed: a list of texts (")


def test_a_key_in_our_own_variables_is_an_error_that_does_not_show_it() -> None:
    """`STENOD_ASSEMBLYAI_API_KEY` is not the provider's variable."""
    (line,) = complaints(environment={"STENOD_ASSEMBLYAI_API_KEY": "hunter2hunter2"})
    assert line.startswith("STENOD_ASSEMBLYAI_API_KEY: a key stands here; keys never stand")
    assert "hunter2" not in line


@pytest.mark.parametrize("value", ["http://host", "host:80", "wss://", "ws://host:99999", "ws://a b", "ws://[::1"])
def test_an_endpoint_is_the_address_of_a_websocket_server(value: str) -> None:
    """Anything else is refused with an example of what is right."""
    (line,) = complaints(overrides={"providers": ["assemblyai"], "assemblyai.endpoint": value})
    assert line.endswith(
        "is no address of a server; allowed: wss://host or ws://host:port, without a key (option --endpoint)"
    )


def test_an_endpoint_on_the_command_line_chooses_its_provider(tmp_path: Path) -> None:
    """Where nothing else chose; where something did, nobody would use it, and that is said."""
    loaded = load(None, {}, {"assemblyai.endpoint": "ws://127.0.0.1:8080"})
    assert loaded.options.providers == ("assemblyai",)
    assert loaded.origins["providers"] == "option --endpoint"
    (line,) = complaints(None, {"STENOD_PROVIDERS": "local"}, {"assemblyai.endpoint": "ws://127.0.0.1:8080"})
    assert line.startswith('assemblyai.endpoint: nobody would use it: providers is ["local"]')
    meant = load(
        None,
        {"STENOD_PROVIDERS": "local,assemblyai", "STENOD_SUPERVISOR_LOCAL_AFTER_SECONDS": "9"},
        {ENDPOINT: "ws://127.0.0.1:8080"},
    )
    assert meant.options.assemblyai.endpoint == "ws://127.0.0.1:8080"
    assert complaints(written(tmp_path, 'endpoint = "ws://h"'))[0].startswith("endpoint: unknown")
    path = written(tmp_path, '[assemblyai]\nendpoint = "ws://127.0.0.1:8080"')
    assert complaints(path)[0].startswith("assemblyai.endpoint: nobody would use it: providers is []")
    assert load(path, {}, {"providers": ["local"]}).options.providers == ("local",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[pacer", "configuration: not TOML: "), ("a = 1\na = 2", "configuration: not TOML: "), (None, "configuration: ")],
)
def test_a_file_that_cannot_be_read_does_not_hide_other_errors(tmp_path: Path, text: str, complaint: str) -> None:
    """A broken or missing file is one error among the others."""
    path = written(tmp_path, text) if text is not None else tmp_path / "missing.toml"
    first, second = complaints(path, {"STENOD_PACER_CHUNK_MS": "1"})
    assert first.startswith(complaint)
    assert str(path) in first
    assert second.startswith("pacer.chunk_ms: 1 is out of range")


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says what to do, whether it was named or found."""

    def forbidden(_path: Path, _mode: str) -> object:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "stenod" / "stenod.toml"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(Path, "open", forbidden)
    told = (
        "configuration: cannot be read (Permission denied); name one that this user may read, or give it the right to"
    )
    for (line,) in (complaints(path), complaints(None, {"XDG_CONFIG_HOME": str(tmp_path)})):
        assert line.startswith(told)
        assert line.endswith(f"({path})")


def test_a_mark_of_an_editor_is_no_error(tmp_path: Path) -> None:
    """UTF-8 may begin with one; the lines are counted as ever."""
    path = tmp_path / "stenod.toml"
    path.write_bytes(b'\xef\xbb\xbfstream = "hall"\n')
    loaded = load(path)
    assert ("hall", f"{path}:1") == (loaded.options.stream, loaded.origins["stream"])


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path, mark: bytes) -> None:
    """As an editor that knows only another encoding saves them."""
    path = tmp_path / "stenod.toml"
    path.write_bytes(mark + b"# one\n# two\nstream = 'M\xfcller'\n")
    assert [f"configuration: line 3 is not UTF-8; save it as UTF-8 ({path}:3)"] == complaints(path)


def test_a_channel_that_raw_input_does_not_have() -> None:
    """Of raw audio the configuration itself says how many there are; other inputs say it when they are opened."""
    raw = {"capture.input": "-", "capture.input_channels": 2}
    (told,) = complaints(None, {}, raw | {"capture.channel": 3})
    assert told == (
        "capture.channel: 3 is more than capture.input_channels, which is 2; allowed: 0, or one of those channels "
        "(command line)"
    )
    assert 2 == load(None, {}, raw | {"capture.channel": 2}).options.capture.channel
    assert 3 == load(None, {}, {"capture.input": "talk.wav", "capture.channel": 3}).options.capture.channel


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (
            {"capture.channel_names": ["a", "a"]},
            'capture.channel_names: ["a", "a"] does not name channels; allowed: up',
        ),
        (
            {"capture.channel_names": ["a/b"]},
            'capture.channel_names: ["a/b"] does not name channels; allowed: up to 32',
        ),
        ({"capture.channel_names": [""]}, 'capture.channel_names: [""] does not name channels; allowed: up'),
        (
            {"capture.channel_names": ["a", "b"], "capture.channel": 2},
            "capture.channel: 2 is one channel, and capture.channel_names has each heard; allowed: 0, or without the",
        ),
        (
            {"capture.channel_names": ["a", "b"], "capture.input": "-"},
            'capture.channel_names: ["a", "b"] are 2, and capture.input_channels is 1; allowed: one name a channel',
        ),
        (
            {"capture.channel_names": ["a", "b" * 32], "stream": "s" * 40},
            f"capture.channel_names: the stream {'s' * 40}-{'b' * 32} would have 73 characters; allowed: up to 64",
        ),
        (
            {"capture.channel_names": ["a", "b"], "supervisor.one_session": True},
            "supervisor.one_session: true, and capture.channel_names has 2 streams with a session each; allowed: false",
        ),
    ],
)
def test_names_that_channels_cannot_have(overrides: dict[str, object], complaint: str) -> None:
    """Each is a stream of its own, in a folder of its own, with a session of its own."""
    (told,) = complaints(None, {}, overrides)
    assert told.startswith(complaint)


def test_variables_carry_lists_tables_and_truth() -> None:
    """Lists are separated by commas, or as a file has them, as tables are; both may be JSON. Truth is also 1 or 0."""
    environment = {
        "STENOD_PROVIDERS": "local, assemblyai",
        "STENOD_ASSEMBLYAI_PARAMETERS": '{"keyterms_prompt": ["stenod"], "filter_profanity": true}',
        "STENOD_OUTPUT_PARTIALS": "1",
        "STENOD_ASSEMBLYAI_FORMAT_TURNS": "False",
        "STENOD_LIVENESS_PING_SECONDS": "0.5",
    }
    chosen = load(None, environment).options
    assert chosen.providers == ("local", "assemblyai")
    assert chosen.assemblyai.parameters == {"keyterms_prompt": ("stenod",), "filter_profanity": True}
    assert (chosen.output.partials, chosen.assemblyai.format_turns, chosen.liveness.ping_seconds) == (True, False, 0.5)


def test_limits_are_told_as_they_are() -> None:
    """Not rounded to the very value that is refused."""
    told = complaints(overrides={"journal.audio_bytes_max": 33_554_400, "liveness.ping_seconds": -1.0})
    allowed = "allowed: a whole number from 33554432 to 1000000000000000"
    assert told[0].startswith(f"journal.audio_bytes_max: 33554400 is out of range; {allowed} (")
    assert "a number from 0.1 to 60 (" in told[1]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("deepgram.keyterms", '["a,x","b c"]', ("a,x", "b c")),
        ("deepgram.keyterms", " [ 'a,x', 'b c', ] ", ("a,x", "b c")),
        ("deepgram.keyterms", "a [x], b c", ("a [x]", "b c")),
        ("deepgram.keyterms", r'["\/"]', ("/",)),
        ("deepgram.keyterms", "[]", ()),
        ("providers", '["local"]', ("local",)),
        ("capture.channel_names", '["agent","caller"]', ("agent", "caller")),
        ("assemblyai.parameters", '{ keyterms_prompt = ["stenod"] }', {"keyterms_prompt": ("stenod",)}),
        ("assemblyai.parameters", '{\n"filter_profanity": true}', {"filter_profanity": True}),
        ("assemblyai.parameters", "{}", {}),
    ],
)
def test_variables_are_written_as_a_file_or_as_json(name: str, text: str, value: object) -> None:
    """A comma inside a text parts nothing."""
    variable = "STENOD_" + name.replace(".", "_").upper()
    assert value == value_at(load(None, {variable: text}).options, name)


def test_the_syntax_of_a_variable_is_told() -> None:
    """With what is wrong; in a file everybody sees it."""
    told = complaints(environment={"STENOD_PROVIDERS": '["local"', "STENOD_ASSEMBLYAI_PARAMETERS": "{ a }"})
    assert told[0].endswith('; in a variable: `one, two` or `["one", "two"]` (variable STENOD_PROVIDERS)')
    assert told[1].endswith('; in a variable: `{ name = "value" }`, or JSON (variable STENOD_ASSEMBLYAI_PARAMETERS)')
    (line,) = complaints(overrides={"providers": "local"})
    assert "variable" not in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STENOD_OUTPUT_PARTIALS", "yes"),
        ("STENOD_LIVENESS_PING_SECONDS", "nan"),
        ("STENOD_LIVENESS_PING_SECONDS", "inf"),
        ("STENOD_PACER_CHUNK_MS", "100.0"),
        ("STENOD_ASSEMBLYAI_PARAMETERS", "[1]"),
        ("STENOD_ASSEMBLYAI_PARAMETERS", "{"),
        ("STENOD_ASSEMBLYAI_PARAMETERS", "{}\nstream = 'x'"),
        ("STENOD_PROVIDERS", "local,local"),
        ("STENOD_PROVIDERS", '["local"'),
        ("STENOD_PROVIDERS", "[" * 100_000),
        ("STENOD_DEEPGRAM_KEYTERMS", "[1]"),
        ("STENOD_STREAM", ".."),
        ("STENOD_STREAM", "x" * 65),
        ("STENOD_STREAM", "a\n"),
        ("STENOD_STREAM", "\udc80"),
        *[("STENOD_STREAM", name) for name in OWN_FILES],
        ("STENOD_STATE_DIR", "~nobody-has-this-name/journal"),
        ("STENOD_OUTPUT_FILE", "~nobody-has-this-name/talk.jsonl"),
        ("STENOD_TLS_CA_FILE", "~nobody-has-this-name/ca.pem"),
        ("STENOD_ASSEMBLYAI_KEY_FILE", "~nobody-has-this-name/key"),
        *[
            (f"STENOD_{name}", "a\0b")
            for name in ("STATE_DIR", "OUTPUT_FILE", "TLS_CA_FILE", "ASSEMBLYAI_KEY_FILE", "DEEPGRAM_KEY_FILE")
        ],
        ("STENOD_STATE_DIR", "journal\udcff"),
        ("STENOD_CAPTURE_INPUT", ""),
        ("STENOD_CAPTURE_INPUT", "mic:"),
        ("STENOD_CAPTURE_INPUT", "command: "),
    ],
)
def test_nothing_is_guessed(name: str, text: str) -> None:
    """What is not exactly a value of its type is an error that names the variable."""
    (line,) = complaints(environment={name: text})
    assert line.endswith(f"(variable {name})")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mic", Input(InputKind.MICROPHONE)),
        ("mic:USB PnP", Input(InputKind.MICROPHONE, "USB PnP")),
        ("mic:3", Input(InputKind.MICROPHONE, "3")),
        ("sample", Input(InputKind.SAMPLE)),
        ("none", Input(InputKind.NONE)),
        ("-", Input(InputKind.STDIN)),
        (
            "command:arecord -D 'my card'",
            Input(InputKind.COMMAND, "arecord -D 'my card'", ("arecord", "-D", "my card")),
        ),
        ("./mic", Input(InputKind.FILE, "./mic")),
        ("talks/a:b.flac", Input(InputKind.FILE, "talks/a:b.flac")),
    ],
)
def test_inputs_are_parsed_once(text: str, expected: Input) -> None:
    """What an input is follows from its spelling alone."""
    assert expected == load(None, {}, {"capture.input": text}).options.capture.source
    assert (expected.kind in ("stdin", "command")) == expected.raw


@pytest.mark.parametrize("address", ["http://h/x.wav", "rtsp://h:554/a?b=c&d", "file:///talks/x.wav"])
def test_an_address_is_for_a_program(address: str) -> None:
    """The one that opens it is told with the address as it was written, and could be said just so."""
    (line,) = complaints(overrides={"capture.input": address})
    assert line.startswith(
        f'capture.input: "{address}" is an address, which a program must open, for example `command:'
    )
    words = Input.parse(line.split("`")[1]).words
    assert ("ffmpeg", address) == (words[0], words[words.index("-i") + 1])
    assert InputKind.FILE == Input.parse(f"./{address}").kind


@given(st.text())
def test_any_text_is_an_input_or_a_sentence(text: str) -> None:
    """Parsing an input raises nothing but `ValueError`."""
    try:
        parsed = Input.parse(text)
    except ValueError:
        return
    assert isinstance(parsed.kind, InputKind)


@given(st.sampled_from(sorted(option_paths())), st.text(st.characters(blacklist_characters="\0")))
def test_any_text_in_a_variable_is_a_value_or_an_error_line(path: str, text: str) -> None:
    """No variable can crash the daemon."""
    name = "STENOD_" + path.replace(".", "_").upper()
    try:
        loaded = load(None, {name: text})
    except ConfigErrors:
        return
    assert loaded.origins[path] == f"variable {name}"


def test_the_users_own_file_is_read_in_the_foreground_only(tmp_path: Path) -> None:
    """A person's file steers their own runs and no service."""
    path = tmp_path / "stenod" / "stenod.toml"
    path.parent.mkdir()
    path.write_text('stream = "mine"')
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert ("mine", path) == (load(None, home).options.stream, load(None, home).path)
    assert load(None, home | {"NOTIFY_SOCKET": "/run/notify"}).options.stream == "default"
    (tmp_path / ".config").symlink_to(tmp_path)
    assert load(None, {"HOME": str(tmp_path)}).options.stream == "mine"
    assert load(None, {"HOME": str(tmp_path / "nowhere")}).options.stream == "default"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"NOTIFY_SOCKET": "/run/systemd/notify"}, True),
        ({"INVOCATION_ID": "8f"}, True),
        ({"INVOCATION_ID": "8f", "SYSTEMD_EXEC_PID": "1"}, False),
    ],
)
def test_a_service_is_what_systemd_itself_started(environment: dict[str, str], expected: bool) -> None:
    """A shell on a desktop inherits `INVOCATION_ID` and is none."""
    assert expected == is_service(environment)
    assert expected == holds_on_fatal(Options(), environment)
    assert holds_on_fatal(load(None, {}, {"supervisor.on_fatal": "hold"}).options, environment)
    assert not holds_on_fatal(load(None, {}, {"supervisor.on_fatal": "exit"}).options, environment)


def test_the_journal_lives_where_it_was_told_or_where_systemd_says() -> None:
    """The option goes before systemd's directory, of which the first counts; else temporary."""
    assert state_directory(Options(), {}) is None
    assert Path("/var/lib/a") == state_directory(Options(), {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"})
    assert Path("/b") == state_directory(load(None, {}, {"state_dir": "/b"}).options, {"STATE_DIRECTORY": "/var/lib/a"})


def test_flags_and_choices_of_the_command_line_are_those_of_the_options() -> None:
    """The command line names existing options and has the same choices, though it imports neither."""
    kinds = option_paths()
    assert set(FLAGS) <= set(kinds)
    assert get_args(get_args(kinds["providers"])[0]) == cli.PROVIDERS
    assert get_args(kinds["logging.level"]) == cli.LEVELS
    assert get_args(kinds["logging.format"]) == cli.FORMATS
    assert get_args(kinds["supervisor.on_fatal"]) == cli.ON_FATAL
    flags = {flag for option in cli.run.params for flag in option.opts}
    assert {*FLAGS.values(), f"--{ENDPOINT}", "--config"} == flags


def test_options_cannot_be_changed() -> None:
    """Configuration is a value."""
    with pytest.raises(AttributeError):
        Options().pacer.chunk_ms = 1
    assert isinstance(FLAGS, types.MappingProxyType)


def test_every_option_is_explained() -> None:
    """Each table and option has its text, which ends as a sentence does."""
    for kind in [one for one in vars(options).values() if is_dataclass(one) and one.__name__.endswith("Options")]:
        told = explanations(kind)
        assert kind is Options or {one.name for one in fields(kind)} == set(told)
        assert all(text.endswith(".") for text in told.values()), told


if __name__ == "__main__":
    print(render(), end="")


def test_a_last_resort_that_would_never_be_asked() -> None:
    """The engine inside stands behind others only with the time after which it takes over."""
    behind = {"providers": ["assemblyai", "local"]}
    (line,) = complaints(overrides=behind)
    assert line.startswith("providers: the engine inside would never take over")
    assert load(None, {}, {**behind, "supervisor.local_after_seconds": 600.0}).options.providers[1] == "local"


def test_a_home_of_somebody_else_has_no_file_for_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `sudo -u` the caller's HOME may stay, and may not be read."""

    def forbidden(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", forbidden)
    assert load(None, {"HOME": str(tmp_path)}).path is None


def test_a_rate_that_a_service_does_not_take() -> None:
    """It would refuse every session; with 16000, which suits everybody, or without it, there is none."""
    flux = {"providers": ["deepgram-flux"]}
    (line,) = complaints(overrides={**flux, "capture.rate": 22050})
    assert line.startswith("capture.rate: 22050 is no rate that deepgram-flux takes; allowed: 8000, 16000, 24000")
    assert load(None, {}, flux).options.capture.rate == 16000
    assert load(None, {}, {"capture.rate": 22050}).options.capture.rate == 22050
