"""The meter: what is drawn when, and that nothing is wider or longer than the terminal."""

import numpy as np
import pytest

from stenod.core.meters import ASCII, BAR_WIDTH, BUSY, Meter, lines, measured, state
from stenod.core.source import Block

RATE = 16000


def block(amplitude: int, seconds: float = 0.02) -> Block:
    """Return a block whose samples alternate around zero."""
    count = round(seconds * RATE)
    return Block(pcm=np.tile([amplitude, -amplitude], count // 2).astype("<i2").tobytes(), rate=RATE, channels=1)


def fed(*amplitudes: int, name: str = "USB", step: float = 0.02) -> tuple[Meter, float]:
    """Return a meter that heard blocks of these amplitudes, and the time after them."""
    meter, now = Meter(3, name), 100.0
    for amplitude in amplitudes:
        now += step
        meter.add(block(amplitude), now)
    return meter, now


def drawn(meter: Meter, now: float, width: int = 200) -> str:
    """Return its line."""
    (line,) = lines([meter], now, width=width, height=10, glyphs=ASCII)
    return line


def test_a_line_has_name_bar_level_and_peak() -> None:
    """At -20 dB 22 of 30 cells are full: the bar goes from -72 to 0 dB."""
    meter, now = fed(*[3277] * 10)
    assert f"    3  USB  {'#' * 22}{'.' * (BAR_WIDTH - 22)}  -20 dB, peak  -20" == drawn(meter, now)


def test_the_default_is_marked() -> None:
    """As in the list."""
    meter, now = fed(3277)
    meter.default = True
    assert drawn(meter, now).startswith("*   3  USB")


def test_the_peak_is_held_for_two_seconds() -> None:
    """It stands in the bar while the level is lower."""
    meter, now = fed(29205, *[30] * 50)
    line = drawn(meter, now)
    assert line.count("|") == 1
    assert "peak   -1" in line
    meter, now = fed(29205, *[30] * 120)
    assert "peak  -61" in drawn(meter, now)


def test_the_level_is_that_of_the_last_tenth() -> None:
    """What was loud before does not stay."""
    meter, now = fed(*[3277] * 20, *[33] * 11)
    assert " -60 dB" in drawn(meter, now)


@pytest.mark.parametrize(("count", "said"), [(45, ""), (55, "muted?")])
def test_zeros_are_called_muted_after_a_second(count: int, said: str) -> None:
    """A sound server begins with some."""
    meter, now = fed(*[0] * count)
    assert said == meter.said(now)
    meter.add(block(5), now + 0.02)
    assert not meter.said(now + 0.02)


def test_clipping_is_told() -> None:
    """While it clips."""
    meter, now = fed(32767)
    assert drawn(meter, now).endswith("clipping")


def test_a_microphone_that_falls_silent_is_told() -> None:
    """No block for a second."""
    meter, now = fed(3277)
    assert "no audio comes" == meter.said(now + 1.5)


def test_what_cannot_be_opened_says_why() -> None:
    """Its name is not said twice; busy is a word that a person knows."""
    never = Meter(1, "hw:0,0")
    assert "starting" in drawn(never, 0.0)
    never.lose("microphone 'hw:0,0': Invalid sample rate [PaErrorCode -9997]")
    assert drawn(never, 0.0).endswith("hw:0,0  cannot be opened: Invalid sample rate [PaErrorCode -9997]")
    never.lose("microphone 'hw:0,0': Error opening RawInputStream: Device unavailable [PaErrorCode -9985]")
    assert f"cannot be opened: {BUSY}" == never.trouble
    never.trouble = ""
    never.lose("cannot open microphone 'hw:0,0': not found; there is 'default'; run `stenod devices`")
    assert f"cannot be opened: {BUSY}" == never.trouble
    meter, now = fed(3277)
    meter.lose("microphone 'USB': Unanticipated host error [PaErrorCode -9999]")
    assert drawn(meter, now).endswith("USB  Unanticipated host error [PaErrorCode -9999]")


def test_nothing_is_wider_or_longer_than_the_terminal() -> None:
    """The last line says what is missing."""
    meters = [Meter(index, f"a device with a rather long name, number {index}") for index in range(30)]
    shown = lines(meters, 0.0, width=40, height=8)
    assert 8 == len(shown)
    assert all(len(line) <= 40 for line in shown)
    assert shown[-1].startswith("and 23 more")


def test_a_second_of_each_in_a_table() -> None:
    """For a pipe: figures, and a word or a reason."""
    good, _ = fed(*[3277] * 50, name="good one")
    muted, _ = fed(*[0] * 50)
    lost = Meter(7, "gone")
    lost.lose("no audio came")
    assert [
        "INDEX  NAME      LEVEL_DB  PEAK_DB  STATE",
        "    3  good one       -20      -20  good",
        "    3  USB            -96      -96  muted?",
        "    7  gone             -        -  cannot be opened: no audio came",
    ] == measured([good, muted, lost])
    assert "quiet" == state(fed(*[10] * 50)[0])
