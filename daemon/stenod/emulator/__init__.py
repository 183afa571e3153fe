"""The server inside: a streaming provider that runs on loopback, for rehearsal, tests and life without a network.

It speaks a provider's dialect as strictly as its documentation and what was observed on the live service allow,
recognises speech with one of three engines, and breaks on demand. It shares no code with `stenod.providers`: it is
a second, independent reading of the same facts, so that one mistake cannot hide in both.

Map, from the outside in:

- `command`        `stenod emulate`
- `server`         options, the listener, one `Emulator` that serves any trio stream
- `websocket`      one WebSocket connection; `gate` what stands between it and its stream when the line is bad
- `conversation`   one connection's life: handshake, judgement, session, end
- `session`        what every dialect shares: audio account, engine, timers, faults
- `dialect`        the words between a session and a dialect; `assemblyai` the dialect, `assemblyai_settings` its rules
- `account`        how much audio was received and when it would have been processed
- `faults`         the fault table; `schedule` when each one strikes
- `engine`         the words between a session and an engine; `engines` which engine serves
- `oracle`         synthetic audio that names its own position; `plans` what is a word in it; `decoder` its reading;
                   `oracle_engine` the recogniser made of it
- `script`         words at given times; `recogniser` and `recogniser_child` pocketsphinx in a process of its own
- `turns`          words to turns; `realism` the untidiness of real providers
- `log`            what the server saw, said and did: the truth that a client's transcript is held against
"""
