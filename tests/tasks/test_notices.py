"""What is unusual about a session's messages."""

from fakes.log import FakeLog
from stenod.providers.base import Notice
from stenod.tasks.notices import KINDS_MAX, Notices


def test_each_kind_is_counted_and_told_once() -> None:
    """A flood of one kind is one line, and a flood of kinds is bounded."""
    log = FakeLog()
    notices = Notices("s", log)
    for _ in range(100):
        notices.add(Notice("unknown"))
    assert ({"unknown": 100}, [{"session": "s", "kind": "unknown"}]) == (notices.counts, log.of("message.unusual"))
    for number in range(100):
        notices.add(Notice(str(number)))
    assert (KINDS_MAX, KINDS_MAX) == (len(notices.counts), len(log.lines))
