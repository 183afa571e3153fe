"""Notices: counted, told once a kind, and bounded."""

from fakes.log import FakeLog
from stenod.providers.base import Notice
from stenod.tasks.notices import KINDS_MAX, Notices


def test_each_is_counted_and_the_first_of_a_kind_told() -> None:
    """A server that says a thousand times what we do not know costs one line."""
    log = FakeLog()
    notices = Notices("s", log)
    for kind in ("unknown", "unknown", "warning"):
        notices.add(Notice(kind))
    assert notices.counts == {"unknown": 2, "warning": 1}
    assert [fields["kind"] for _, event, fields in log.lines if event == "message.unusual"] == ["unknown", "warning"]


def test_kinds_are_bounded() -> None:
    """Whatever a server invents."""
    notices = Notices("s", FakeLog())
    for number in range(100):
        notices.add(Notice(f"kind-{number}"))
    assert len(notices.counts) == KINDS_MAX
