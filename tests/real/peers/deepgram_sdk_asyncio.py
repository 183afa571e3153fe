"""A peer: Deepgram's own client of asyncio, used as it is documented, for /v1/listen and /v2/listen."""

import asyncio
import logging
from typing import Any

from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.listen.v1.types import ListenV1Configure
from deepgram.listen.v2.types import ListenV2Configure
from plan import Plan, play_async, told
from websockets.exceptions import ConnectionClosed

SECONDS_MAX = 20.0
"""How long the last words may take."""
CONFIGURES = {"v1": ListenV1Configure, "v2": ListenV2Configure}


async def transcribe(plan: Plan) -> None:
    """Play a plan, and tell every event."""
    version = plan.options.get("version", "v1")
    listen = getattr(client_of(plan).listen, version)
    try:
        async with listen.connect(**plan.parameters) as connection:
            over = asyncio.Event()

            async def end(_nothing: Any) -> None:
                plan.tell("CLOSE")
                over.set()

            async def call(name: str, given: dict[str, Any]) -> None:
                message = [CONFIGURES[version](**given)] if name == "send_configure" else []
                await getattr(connection, name)(*message)

            connection.on(EventType.OPEN, lambda _nothing: plan.tell("OPEN"))
            connection.on(EventType.MESSAGE, lambda message: plan.tell(getattr(message, "type", "?"), message))
            connection.on(EventType.ERROR, lambda error: plan.tell("ERROR", error, code=code_of(error)))
            connection.on(EventType.CLOSE, end)
            listener = asyncio.create_task(connection.start_listening())
            try:
                await play_async(plan, connection.send_media, call, over)
                if plan.options.get("goodbye", True):
                    await connection.send_close_stream()
                    await asyncio.wait_for(listener, SECONDS_MAX)
            except ConnectionClosed:
                await asyncio.wait_for(over.wait(), SECONDS_MAX)
        await listener
    except ApiError as error:
        plan.tell("refused", error, code=error.status_code)


def client_of(plan: Plan) -> AsyncDeepgramClient:
    """Return the client, pointed at the server of the plan."""
    web = plan.url.replace("ws", "http", 1)
    environment = DeepgramClientEnvironment(base=web, production=plan.url, agent=plan.url, agent_rest=web)
    if "token" in plan.options:
        return AsyncDeepgramClient(access_token=plan.key, environment=environment)
    return AsyncDeepgramClient(api_key=plan.key, environment=environment)


def code_of(error: Exception) -> int | None:
    """Return the close code that the library was given, None without a close frame."""
    received = getattr(error, "rcvd", None)
    return None if received is None else received.code


async def main() -> None:
    """Play all plans."""
    logging.basicConfig(level=logging.WARNING)
    for plan in told():
        await transcribe(plan)


if __name__ == "__main__":
    asyncio.run(main())
