"""A peer: LiveKit's speech-to-text plugins, used as they are documented, without a room."""

import asyncio
import logging
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, stt
from livekit.plugins import assemblyai, deepgram
from plan import Plan, play_async, told

SECONDS_MAX = 20.0
PLUGINS = {
    "assemblyai": (assemblyai.STT, ""),
    "deepgram": (deepgram.STT, "/v1/listen"),
    "deepgram_flux": (deepgram.STTv2, "/v2/listen"),
}
"""Which class speaks to whom, and the path that its address ends with."""


async def transcribe(plan: Plan, http: aiohttp.ClientSession) -> None:
    """Play a plan, and tell every event."""
    plugin, path = PLUGINS[plan.options["provider"]]
    recogniser = plugin(api_key=plan.key, base_url=plan.url + path, http_session=http, **plan.parameters)
    once = APIConnectOptions(max_retry=0, timeout=SECONDS_MAX)
    stream = recogniser.stream(conn_options=once)
    over = asyncio.Event()

    async def send(pcm: bytes) -> None:
        stream.push_frame(rtc.AudioFrame(pcm, plan.rate, 1, len(pcm) // 2))

    async def call(name: str, given: dict[str, Any]) -> None:
        getattr(stream, name)(**given)

    async def hear() -> None:
        try:
            async for event in stream:
                tell(plan, event)
        except APIError as error:
            plan.tell("ERROR", error, code=getattr(error, "status_code", None))
        over.set()

    listener = asyncio.create_task(hear())
    await play_async(plan, send, call, over)
    if not over.is_set():
        stream.end_input()
    await asyncio.wait_for(listener, SECONDS_MAX)
    await stream.aclose()
    await recogniser.aclose()


def tell(plan: Plan, event: stt.SpeechEvent) -> None:
    """Tell an event with its first reading."""
    best = event.alternatives[0] if event.alternatives else None
    words = [[str(word), word.start_time, word.end_time] for word in (best.words or [])] if best else []
    plan.tell(event.type.name, best.text if best else "", words=words, request_id=event.request_id)


async def main() -> None:
    """Play all plans."""
    logging.basicConfig(level=logging.CRITICAL)  # it logs what it raises
    async with aiohttp.ClientSession() as http:
        for plan in told():
            await transcribe(plan, http)


if __name__ == "__main__":
    asyncio.run(main())
