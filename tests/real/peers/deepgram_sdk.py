"""A peer: Deepgram's own client of threads, used as it is documented, for /v1/listen and /v2/listen."""

import json
import logging
import threading
from typing import Any

from deepgram import DeepgramClient, DeepgramClientEnvironment
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.listen.v1.types import ListenV1Configure
from deepgram.listen.v2.types import ListenV2Configure
from plan import Plan, play, told
from websockets.exceptions import ConnectionClosed, InvalidStatus

SECONDS_MAX = 20.0
"""How long the last words may take."""
CONFIGURES = {"v1": ListenV1Configure, "v2": ListenV2Configure}


def transcribe(plan: Plan) -> None:
    """Play a plan, and tell every event."""
    version = plan.options.get("version", "v1")
    listen = getattr(client_of(plan).listen, version)
    try:
        with listen.connect(**plan.parameters) as connection:
            over = threading.Event()

            def end(_nothing: Any) -> None:
                plan.tell("CLOSE")
                over.set()

            def call(name: str, given: dict[str, Any]) -> None:
                message = [CONFIGURES[version](**given)] if name == "send_configure" else []
                getattr(connection, name)(*message)

            connection.on(EventType.OPEN, lambda _nothing: plan.tell("OPEN"))
            connection.on(EventType.MESSAGE, lambda message: plan.tell(getattr(message, "type", "?"), message))
            connection.on(EventType.ERROR, lambda error: plan.tell("ERROR", error, code=code_of(error)))
            connection.on(EventType.CLOSE, end)
            listener = threading.Thread(target=connection.start_listening)
            listener.start()
            try:
                play(plan, connection.send_media, call, over)
                if plan.options.get("goodbye", True):
                    connection.send_close_stream()
                    listener.join(SECONDS_MAX)
            except ConnectionClosed:
                over.wait(SECONDS_MAX)
    except ApiError as error:
        plan.tell("refused", error, code=error.status_code)
    except InvalidStatus as error:
        # With recent websockets this client lets the library's own error pass, which has the whole answer.
        answer = error.response
        headers = {name: answer.headers[name] for name in answer.headers if name.lower().startswith("dg-")}
        plan.tell("refused", error, code=answer.status_code, headers=headers, body=json.loads(answer.body or b"null"))


def client_of(plan: Plan) -> DeepgramClient:
    """Return the client, pointed at the server of the plan."""
    web = plan.url.replace("ws", "http", 1)
    environment = DeepgramClientEnvironment(base=web, production=plan.url, agent=plan.url, agent_rest=web)
    if "token" in plan.options:
        return DeepgramClient(access_token=plan.key, environment=environment)
    return DeepgramClient(api_key=plan.key, environment=environment)


def code_of(error: Exception) -> int | None:
    """Return the close code that the library was given, None without a close frame."""
    received = getattr(error, "rcvd", None)
    return None if received is None else received.code


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    for one in told():
        transcribe(one)
