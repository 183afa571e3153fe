"""AssemblyAI v3: the codes and words of its ends.

The numbers and most words are the provider's published table; those with a category before them ("Input Duration
Error") were observed so. A close frame's reason is `See Error message for details`: documented for texts over 123
bytes, observed always.
"""

from collections.abc import Mapping, Sequence

from stenod.emulator.dialect import Failure, Message, Rejection, Violation

RETIRED = (
    "Deprecated endpoint: The V2 streaming API has been retired. "
    "Use this endpoint instead: wss://streaming.assemblyai.com/v3/ws."
)
CLOSE_REASON = "See Error message for details"
GOODBYE = Violation(1000, "Session Ended")
NO_KEY = Violation(1008, "Unauthorized Connection: Missing Authorization header")
BAD_KEY = Violation(1008, "Unauthorized Connection: Invalid API key")
OLD_TOKEN = Violation(1008, "Unauthorized Connection: Signature has expired")
FAILURES: Mapping[Failure, Violation] = {
    Failure.INACTIVE: Violation(
        3006, "Session terminated due to inactivity: No messages received for {limit:g} seconds"
    ),
    Failure.UNANSWERED: Violation(3005, "Session Cancelled: An error occurred"),
    Failure.EXPIRED: Violation(3008, "Session Expired: Maximum session duration exceeded"),
    Failure.CANCELLED: Violation(3005, "Session Cancelled: An error occurred"),
    Failure.CROWDED: Violation(3009, "Unauthorized Connection: Too many concurrent sessions"),
    Failure.TOO_FAST: Violation(
        3007,
        "Input Duration Error: Audio Transmission Rate Exceeded: Received {audio:.1f} sec. audio in {elapsed:.6f} sec",
    ),
}
DEFAULT_TEXTS: Mapping[int, str] = {
    1000: "Session Ended",
    1001: "",
    1008: BAD_KEY.text,
    1011: "Internal error",
    1013: "Temporary server condition forced blocking client's request",
    3006: "User Input Validation Error: Invalid Message",
    3007: "Input Duration Error: Audio Transmission Rate Exceeded: Received 314.9 sec. audio in 1.312326 sec",
} | {violation.code: violation.text for violation in FAILURES.values() if "{" not in violation.text}


def failure(kind: Failure, **numbers: float) -> Violation:
    """Return the code and text of an end that every dialect has."""
    row = FAILURES[kind]
    return Violation(row.code, row.text.format(**numbers))


def error_messages(violation: Violation) -> Sequence[Message]:
    """Return the frame that precedes the close."""
    return [{"type": "Error", "error_code": violation.code, "error": violation.text}]


def rejection(violation: Violation, request_id: str) -> Rejection:  # noqa: ARG001 - requests have no names here
    """Return the answer with another status; its body is of the token interface's shape."""
    return Rejection(violation.code, violation.text, {"error": violation.text})
