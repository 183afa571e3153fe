"""A person's word for a microphone, against tables as PortAudio gives them."""

import pytest

from stenod.core.microphones import Device, child_environment, inputs, match
from stenod.core.source import SourceError

APIS = [{"name": "ALSA"}, {"name": "JACK Audio Connection Kit"}]


def row(name: str, channels: int = 2, api: int = 0, rate: float = 44100.0) -> dict[str, object]:
    return {"name": name, "hostapi": api, "max_input_channels": channels, "default_samplerate": rate}


ROWS = [
    row("HDA Intel PCH: ALC257 Analog (hw:0,0)"),
    row("HDA Intel PCH: HDMI 0 (hw:0,3)", channels=0),
    row("USB PnP Sound Device: Audio (hw:1,0)", channels=1, rate=48000.0),
    row("USB Camera: Audio (hw:2,0)", rate=15999.99),
    row("pulse", channels=32),
    row("default", channels=32),
    row("system", api=1),
    row("System", api=0),
]
DEVICES = inputs(ROWS, APIS, 5)


def test_outputs_are_left_out_and_indexes_kept() -> None:
    """PortAudio counts outputs too: an index is its own, not ours."""
    assert [device.index for device in DEVICES] == [0, 2, 3, 4, 5, 6, 7]
    expected = Device(
        index=2, name="USB PnP Sound Device: Audio (hw:1,0)", host_api="ALSA", channels=1, rate=48000, default=False
    )
    assert expected == DEVICES[1]
    assert DEVICES[2].rate == 16000
    assert [device.name for device in DEVICES if device.default] == ["default"]
    assert DEVICES[5].host_api == "JACK Audio Connection Kit"


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 5),
        ("2", 2),
        ("USB PnP Sound Device: Audio (hw:1,0)", 2),
        ("usb pnp", 2),
        ("CAMERA", 3),
        ("PULSE", 4),
        ("system", 6),  # as written goes before any case
        ("System", 7),
    ],
)
def test_what_is_meant_is_found(wanted: str | None, index: int) -> None:
    """None is the default; then names as written, in any case, numbers, and parts of one name."""
    assert index == match(DEVICES, wanted).index


def test_without_a_default_the_first_input_is_it() -> None:
    """PortAudio says -1 when it has no opinion."""
    assert match(inputs(ROWS, APIS, -1), None).index == 0


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        (
            "usb",
            ["it may be 2 'USB PnP Sound Device: Audio (hw:1,0)' or 3 'USB Camera: Audio (hw:2,0)'; give the number"],
        ),
        ("SYSTEM", ["it may be 6 'system' or 7 'System'"]),
        ("e", ["4 'pulse'", "or 3 others"]),
        ("pulze", ["not found; there is 'pulse'; run `stenod devices`"]),
        ("defualt", ["there is 'default'"]),
        ("1", ["not found"]),  # an output
        ("99", ["not found"]),
        ("", ["not found"]),
        ("zzz", ["there is 'HDA Intel PCH: ALC257 Analog (hw:0,0)', 'USB PnP Sound Device: Audio (hw:1,0)', "]),
    ],
)
def test_what_is_not_found_or_not_unique_says_what_there_is(wanted: str, parts: list[str]) -> None:
    """The sentence carries the nearest names, or all that fit."""
    with pytest.raises(SourceError) as caught:
        match(DEVICES, wanted)

    assert caught.value.exit_code == 66
    for part in [f"cannot open microphone '{wanted}': ", "`stenod devices`", *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize("wanted", [None, "usb"])
def test_no_device_at_all_is_another_matter(wanted: str | None) -> None:
    """With nothing to choose from, the name is not to blame."""
    with pytest.raises(SourceError, match=r"no microphone: .* plug one in") as caught:
        match(inputs([ROWS[1]], APIS, -1), wanted)
    assert caught.value.exit_code == 69


def test_a_child_sees_the_sound_server_and_no_secret() -> None:
    """An allowed list, so that a secret need not be recognised."""
    kept = {
        "PATH": "/bin",
        "PULSE_SERVER": "unix:/p",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "LC_ALL": "C",
        "PYTHONPATH": "/x",
    }
    secrets = {
        "ASSEMBLYAI_API_KEY": "k",
        "STENOD_KEY": "k",
        "AWS_SECRET": "k",
        "PULSE_API_KEY": "k",
        "NOTIFY_SOCKET": "s",
    }

    assert kept == child_environment(kept | secrets)
