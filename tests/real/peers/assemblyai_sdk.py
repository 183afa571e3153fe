"""A peer: AssemblyAI's own client of threads, used as it is documented."""

import logging
import threading
from functools import partial
from typing import Any

from assemblyai.streaming.v3 import (
    RealTimeEvents,
    RealTimeParameters,
    RealTimeSessionParameters,
    RealTimeTranscriber,
    RealTimeTranscriberOptions,
)
from httpx import HTTPStatusError
from plan import Plan, play, told

SECONDS_MAX = 20.0
"""How long the client waits for a handshake and for the last words: longer than by default, for busy machines."""


def transcribe(plan: Plan) -> None:
    """Play a plan, and tell every event."""
    try:
        credential = credential_of(plan)
    except HTTPStatusError as error:
        plan.tell("refused", error, code=error.response.status_code)
        return
    over = threading.Event()

    def hear(event: RealTimeEvents, _client: Any, message: Any) -> None:
        code = {"code": message.code} if event is RealTimeEvents.Error else {}
        plan.tell(event.name, message, **code)
        if event in (RealTimeEvents.Error, RealTimeEvents.Termination):
            over.set()

    def call(name: str, given: dict[str, Any]) -> None:
        if name == "set_params":
            client.set_params(RealTimeSessionParameters(**given))
        else:
            getattr(client, name)(**given)

    client = RealTimeTranscriber(
        RealTimeTranscriberOptions(
            api_host=plan.url,
            connect_timeout=plan.options.get("connect_seconds", SECONDS_MAX),
            terminate_timeout=SECONDS_MAX,
            **credential,
        )
    )
    for event in RealTimeEvents:
        client.on(event, partial(hear, event))
    client.connect(RealTimeParameters(**plan.parameters))
    if not over.is_set():
        play(plan, client.stream, call, over)
    client.disconnect(terminate=plan.options.get("terminate", True))


def credential_of(plan: Plan) -> dict[str, str]:
    """Return the key, or a temporary token that was minted with it."""
    if "mint" not in plan.options:
        return {"api_key": plan.key}
    minter = RealTimeTranscriber(RealTimeTranscriberOptions(api_host=plan.url, api_key=plan.key))
    return {"token": minter.create_temporary_token(**plan.options["mint"])}


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    for one in told():
        transcribe(one)
