"""Who records from a card: /proc/asound as the kernel writes it (no card is needed to read it)."""

from pathlib import Path

from stenod.edge.alsa import Recording, recordings

RUNNING = "state: RUNNING\nowner_pid   : 4711\ntrigger_time: 1.2\ntstamp      : 3.4\ndelay       : 0\n"


def substream(cards: Path, name: str, status: str) -> None:
    """Make one."""
    folder = cards / name / "sub0"
    folder.mkdir(parents=True)
    (folder / "status").write_text(status)
    (folder / "info").write_text("card: 0\ndevice: 0\nstream: CAPTURE\nid: USB Audio\nname: USB Audio #0\n")


def test_only_open_inputs_are_found(tmp_path: Path) -> None:
    """With the program that has each, where its name can be seen; outputs do not matter."""
    substream(tmp_path / "asound", "card0/pcm0c", RUNNING)
    substream(tmp_path / "asound", "card0/pcm0p", RUNNING)
    substream(tmp_path / "asound", "card1/pcm0c", "closed\n")
    substream(tmp_path / "asound", "card2/pcm0c", "state: PREPARED\n")
    (tmp_path / "4711").mkdir()
    (tmp_path / "4711" / "comm").write_text("stenod\n")
    assert [Recording("USB Audio #0", 4711, "stenod"), Recording("USB Audio #0", 0, "")] == recordings(
        tmp_path / "asound", tmp_path
    )


def test_no_alsa_is_no_recording(tmp_path: Path) -> None:
    """As in a container."""
    assert [] == recordings(tmp_path / "asound", tmp_path)


def test_a_hidden_process_has_no_name(tmp_path: Path) -> None:
    """Under hidepid= its number is all there is."""
    substream(tmp_path / "asound", "card0/pcm0c", RUNNING)
    assert [Recording("USB Audio #0", 4711, "")] == recordings(tmp_path / "asound", tmp_path)
