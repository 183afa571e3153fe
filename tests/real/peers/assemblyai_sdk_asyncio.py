"""A peer: AssemblyAI's own client of asyncio, used as it is documented."""

import asyncio
import logging
from functools import partial
from typing import Any

from assemblyai.streaming.v3 import (
    AsyncRealTimeTranscriber,
    RealTimeEvents,
    RealTimeParameters,
    RealTimeSessionParameters,
    RealTimeTranscriberOptions,
)
from httpx import HTTPStatusError
from plan import Plan, play_async, told

SECONDS_MAX = 20.0
"""How long the client waits for a handshake and for the last words: longer than by default, for busy machines."""


async def transcribe(plan: Plan) -> None:
    """Play a plan, and tell every event."""
    try:
        credential = await credential_of(plan)
    except HTTPStatusError as error:
        plan.tell("refused", error, code=error.response.status_code)
        return
    over = asyncio.Event()

    async def hear(event: RealTimeEvents, _client: Any, message: Any) -> None:
        code = {"code": message.code} if event is RealTimeEvents.Error else {}
        plan.tell(event.name, message, **code)
        if event in (RealTimeEvents.Error, RealTimeEvents.Termination):
            over.set()

    async def call(name: str, given: dict[str, Any]) -> None:
        if name == "set_params":
            await client.set_params(RealTimeSessionParameters(**given))
        else:
            await getattr(client, name)(**given)

    options = RealTimeTranscriberOptions(
        api_host=plan.url,
        connect_timeout=plan.options.get("connect_seconds", SECONDS_MAX),
        terminate_timeout=SECONDS_MAX,
        **credential,
    )
    async with AsyncRealTimeTranscriber(options) as client:
        for event in RealTimeEvents:
            client.on(event, partial(hear, event))
        await client.connect(RealTimeParameters(**plan.parameters))
        if not over.is_set():
            await play_async(plan, client.stream, call, over)
        await client.disconnect(terminate=plan.options.get("terminate", True))


async def credential_of(plan: Plan) -> dict[str, str]:
    """Return the key, or a temporary token that was minted with it."""
    if "mint" not in plan.options:
        return {"api_key": plan.key}
    async with AsyncRealTimeTranscriber(RealTimeTranscriberOptions(api_host=plan.url, api_key=plan.key)) as minter:
        return {"token": await minter.create_temporary_token(**plan.options["mint"])}


async def main() -> None:
    """Play all plans."""
    logging.basicConfig(level=logging.WARNING)
    for plan in told():
        await transcribe(plan)


if __name__ == "__main__":
    asyncio.run(main())
