"""Messages that no client should choke on."""

import json
from collections.abc import Iterator

HUGE_BYTES = 4 << 20
DEPTH = 2_000


def garbage() -> Iterator[str | bytes]:
    """Yield one of each kind: no JSON, not an object, unknown, binary, cut off, very deep, wrong types, odd numbers.

    Each dialect's own messages are among them; to a client of another they are unknown ones.
    """
    yield "this is not JSON"
    yield ""
    yield "null"
    yield "[]"
    yield json.dumps({"no": "type"})
    yield json.dumps({"type": 7})
    yield json.dumps({"type": "SomethingNew", "x": 1})
    yield json.dumps({"type": "Warning", "warning_code": 1234, "warning": "anything"})
    yield b"\x00\x01\x02\xff"
    yield '{"type":"Turn","turn_order":0,"transcr'
    yield "[" * DEPTH + "]" * DEPTH
    yield json.dumps({"type": "Turn", "turn_order": "zero", "end_of_turn": "yes", "transcript": 5, "words": "none"})
    yield json.dumps({"type": "Turn", "turn_order": 0, "end_of_turn": False, "transcript": "", "words": [{"text": 1}]})
    yield json.dumps({"type": "Heartbeat", "total_audio_received_ms": None})
    yield '{"type":"Heartbeat","total_audio_received_ms":1e999,"realtime_factor":NaN}'
    yield json.dumps({"type": "Results", "start": "zero", "duration": None, "is_final": "yes", "channel": 5})
    yield json.dumps({"type": "Results", "start": 0.0, "duration": 0.0, "is_final": False, "channel": {}})
    yield json.dumps({"type": "TurnInfo", "sequence_id": "x", "event": "SomethingNew", "turn_index": None})
    yield json.dumps({"message_type": "FinalTranscript", "text": 5, "words": {"text": 1}})


def huge() -> str:
    """Return a well-formed message of several megabytes."""
    return json.dumps({"type": "Warning", "warning_code": 1, "warning": "x" * HUGE_BYTES})
