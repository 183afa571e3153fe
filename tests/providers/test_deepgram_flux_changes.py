"""What an open Flux session can be told, and what takes a new one."""

import json

import pytest

from stenod.providers.assemblyai import AssemblyAI, AssemblyAIOptions
from stenod.providers.deepgram_flux import DeepgramFlux, DeepgramFluxOptions
from stenod.providers.deepgram_flux_changes import configure


def told(before: dict[str, object], after: dict[str, object]) -> list[dict[str, object]] | None:
    """Return what a session with options `before` is told to be one with options `after`."""
    conversation = DeepgramFlux(DeepgramFluxOptions(**before)).conversation()
    frames = conversation.reconfigure(DeepgramFlux(DeepgramFluxOptions(**after)))
    return None if frames is None else [json.loads(frame) for frame in frames]


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {"keyterms": ("stenod", "Größe")}, {"keyterms": ["stenod", "Größe"]}),
        ({"keyterms": ("stenod",)}, {}, {"keyterms": []}),
        ({}, {"language_hints": ("de",)}, {"language_hints": ["de"]}),
        ({}, {"eot_threshold": 0.8}, {"thresholds": {"eot_threshold": 0.8}}),
        (
            {"eot_timeout_ms": 3000},
            {"eager_eot_threshold": 0.4, "eot_timeout_ms": 4000, "keyterms": ("a",)},
            {"thresholds": {"eager_eot_threshold": 0.4, "eot_timeout_ms": 4000}, "keyterms": ["a"]},
        ),
    ],
)
def test_only_what_changed_is_told(before: dict, after: dict, changed: dict) -> None:
    """In one message; a list replaces the one before."""
    assert [{"type": "Configure", **changed}] == told(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"model": "flux-general-multi"}),
        ({}, {"region": "eu"}),
        ({}, {"endpoint": "ws://localhost:8080"}),
        ({}, {"tag": "hall"}),
        ({}, {"parameters": {"numerals": True}}),
        ({"parameters": {"numerals": True}}, {}),
        ({"eager_eot_threshold": 0.4}, {}),
        ({}, {"eot_threshold": 0.8, "tag": "hall"}),
    ],
)
def test_what_takes_a_new_session(before: dict, after: dict) -> None:
    """What is for the opening only, and a threshold that was taken out."""
    assert told(before, after) is None


@pytest.mark.parametrize("after", [{}, {"price_per_hour": 0.2}, {"parameters": {"encoding": "x"}}])
def test_what_no_session_needs_to_hear(after: dict) -> None:
    """It is as wanted already."""
    assert [] == told({}, after)


def test_changes_add_up() -> None:
    """Each is told against what was told before it; what could not be told changes nothing."""
    conversation = DeepgramFlux(DeepgramFluxOptions()).conversation()
    for term, frames in (("a", 1), ("a", 0), ("b", 1)):
        assert frames == len(conversation.reconfigure(DeepgramFlux(DeepgramFluxOptions(keyterms=(term,)))) or ())
    assert conversation.reconfigure(DeepgramFlux(DeepgramFluxOptions(region="eu"))) is None
    assert conversation.reconfigure(AssemblyAI(AssemblyAIOptions())) is None
    assert () == conversation.reconfigure(DeepgramFlux(DeepgramFluxOptions(keyterms=("b",))))


def test_what_stenod_relies_on_is_never_changed() -> None:
    """Whatever the options may come to hold."""
    assert configure({}, {"encoding": "opus"}) is None
