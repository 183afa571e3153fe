"""What an open session can be told, and what takes a new one."""

import json

import pytest

from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.assemblyai_changes import CHANGEABLE, update
from stenod.providers.base import Final


def told(before: dict[str, object], after: dict[str, object]) -> list[dict[str, object]] | None:
    """Return what a session with options `before` is told to be one with options `after`."""
    frames = AssemblyAI(AssemblyAIOptions(**before)).conversation().reconfigure(AssemblyAI(AssemblyAIOptions(**after)))
    return None if frames is None else [json.loads(frame) for frame in frames]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {"parameters": {"keyterms_prompt": ("stenod", "Größe")}}, {"keyterms_prompt": ["stenod", "Größe"]}),
        (
            {"parameters": {"vad_threshold": 0.4, "prompt": "a"}},
            {"parameters": {"vad_threshold": 0.5, "prompt": "a", "filter_profanity": True}},
            {"vad_threshold": 0.5, "filter_profanity": True},
        ),
        ({}, {"format_turns": False}, {"format_turns": False}),
    ],
)
def test_only_what_changed_is_told(
    before: dict[str, object], after: dict[str, object], changed: dict[str, object]
) -> None:
    """In one message, with values as JSON has them."""
    assert [{"type": "UpdateConfiguration", **changed}] == told(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"speech_model": "u3-rt-pro"}),
        ({}, {"region": "eu"}),
        ({}, {"endpoint": "ws://localhost:8080"}),
        ({}, {"inactivity_timeout_seconds": 60}),
        ({}, {"temporary_tokens": True, "token_session_seconds_max": 600}),
        ({}, {"parameters": {"speaker_labels": True}}),
        ({}, {"parameters": {"redact_pii": True}}),
        ({}, {"parameters": {"vad_treshold": 0.5}}),
        ({"parameters": {"prompt": "a"}}, {}),
        ({"parameters": {"prompt": "a", "vad_threshold": 0.5}}, {"parameters": {"prompt": "b"}}),
        ({}, {"parameters": {"prompt": "b", "domain": "medical"}}),
    ],
)
def test_what_takes_a_new_session(before: dict[str, object], after: dict[str, object]) -> None:
    """What is for the opening only, what is not known, and what was taken out."""
    assert told(before, after) is None


@pytest.mark.parametrize(
    "after", [{}, {"price_per_hour": 0.2}, {"token_seconds": 10}, {"parameters": {"encoding": "x"}}]
)
def test_what_no_session_needs_to_hear(after: dict[str, object]) -> None:
    """It is as wanted already."""
    assert [] == told({}, after)


def test_changes_add_up() -> None:
    """Each is told against what was told before it; what could not be told changes nothing."""
    conversation = AssemblyAI(AssemblyAIOptions()).conversation()
    for prompt, frames in (("a", 1), ("a", 0), ("b", 1)):
        dialect = AssemblyAI(AssemblyAIOptions(parameters={"prompt": prompt}))
        assert frames == len(conversation.reconfigure(dialect) or ())
    assert conversation.reconfigure(AssemblyAI(AssemblyAIOptions(region="eu"))) is None
    assert () == conversation.reconfigure(AssemblyAI(AssemblyAIOptions(parameters={"prompt": "b"})))


def test_formatting_is_known_from_then_on() -> None:
    """Turns that come without a twin are not held for one."""
    turn = {"type": "Turn", "turn_order": 0, "end_of_turn": True, "turn_is_formatted": False, "transcript": "hello"}
    conversation = AssemblyAI(AssemblyAIOptions()).conversation()
    assert [] == conversation.receive(json.dumps(turn), 0.0)
    conversation.reconfigure(AssemblyAI(AssemblyAIOptions(format_turns=False)))
    events = conversation.receive(json.dumps(turn | {"turn_order": 1}), 0.1)
    assert [0, 1] == [event.turn for event in events if isinstance(event, Final)]


def test_nothing_of_the_opening_is_on_the_list() -> None:
    """What stenod relies on is never changed behind its back."""
    assert not CHANGEABLE & {"speech_model", "encoding", "sample_rate", "inactivity_timeout", "session_heartbeat"}
    assert update({}, {"session_heartbeat": False}) is None
