"""A peer: the message types of the vendors' SDKs. It reads messages, and says what their types find wrong with each.

Standard input has one JSON object a line, `{"dialect": ..., "message": ...}`; so has standard output: the name of the
type that the message's `type` belongs to, what is wrong with it, and the fields that the type does not know. Types are
strict here: a number in quotes is no number.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any, get_args

from assemblyai.streaming.v3 import EventMessage
from deepgram.listen.v1.socket_client import V1SocketClientResponse
from deepgram.listen.v2.socket_client import V2SocketClientResponse
from pydantic import BaseModel, ValidationError

DIALECTS = {"assemblyai": EventMessage, "deepgram": V1SocketClientResponse, "deepgram_flux": V2SocketClientResponse}
TYPES = {
    (dialect, get_args(model.model_fields["type"].annotation)[0]): model
    for dialect, messages in DIALECTS.items()
    for model in get_args(messages)
}
UNIX_TIME = "expires_at"
"""A date that is sent as a number; a strict type wants a date."""


def faults(model: type[BaseModel], message: Any) -> Iterator[str]:
    """Yield what is wrong with a message."""
    try:
        model.model_validate(message, strict=True)
    except ValidationError as error:
        for one in error.errors():
            path = ".".join(map(str, one["loc"]))
            if path != UNIX_TIME or not isinstance(one["input"], int):
                yield f"{path}: {one['msg']}"


def unknown(value: Any, read: Any, path: str) -> Iterator[str]:
    """Yield the fields of a message that its type does not have."""
    if isinstance(value, list) and isinstance(read, list):
        for item, other in zip(value, read, strict=True):
            yield from unknown(item, other, path)
    elif isinstance(value, dict) and isinstance(read, BaseModel):
        for name, item in value.items():
            if name not in type(read).model_fields:
                yield f"{path}.{name}"
            else:
                yield from unknown(item, getattr(read, name), f"{path}.{name}")


def main() -> None:
    """Judge every line."""
    for line in sys.stdin:
        given = json.loads(line)
        message = given["message"]
        model = TYPES.get((given["dialect"], message.get("type")))
        told = {"type": model.__name__ if model else None, "faults": [], "unknown": []}
        if model is not None:
            told["faults"] = list(faults(model, message))
            if not told["faults"]:
                told["unknown"] = sorted(set(unknown(message, model.model_validate(message), message["type"])))
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
