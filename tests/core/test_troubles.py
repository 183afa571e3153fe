"""Which bad news stands."""

import pytest

from stenod.core.troubles import standing


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("", set()),
        ("provider:fatal", {"provider"}),
        ("provider:fatal provider:back", set()),
        ("provider:back provider:lost", {"provider"}),
        ("provider:lost device:lost provider:back", {"device"}),
        ("level:muted level:good journal:damaged", {"journal"}),
        ("journal:lost journal:lost device:back", {"journal"}),
    ],
)
def test_the_last_word_about_each_subject(told: str, expected: set[str]) -> None:
    """Good news ends what was bad, of its own subject only."""
    statuses = [dict(zip(("subject", "state"), one.split(":"), strict=True)) for one in told.split()]
    found = standing(statuses)
    assert expected == set(found)
    assert all(status["subject"] == subject for subject, status in found.items())
