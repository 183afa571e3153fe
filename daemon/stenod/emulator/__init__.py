"""The server inside: a streaming provider that runs on loopback, for rehearsal, tests and life without a network.

It speaks a provider's dialect as strictly as its documentation and what was observed on the live service allow,
recognises speech with one of three engines, and breaks on demand. It shares no code with `stenod.providers`: it is
a second, independent reading of the same facts, so that one mistake cannot hide in both.

Map, from the outside in:

- `command`        `stenod emulate`; `options` what it can be told
- `server`         the listener, and one `Emulator` that serves any trio stream
- `websocket`      one WebSocket connection; `gate` what stands between it and its stream when the line is bad
- `conversation`   one connection's life: handshake, judgement, session; `ending` how an end is said
- `admission`      how many may come in; `keyring` who may
- `session`        what every dialect shares: audio account, engine, clock; `timers` what the clock waits for;
                   `delivery` its outgoing messages
- `tongues`        which dialect is spoken at which path
- `dialect`        the words between a session and a dialect; of the dialects:
  - `assemblyai`       AssemblyAI v3; `assemblyai_settings` its parameters, `assemblyai_errors` its ends,
                       `assemblyai_speakers` who spoke, `assemblyai_tokens` the page that mints temporary tokens
  - `assemblyai_v2`    AssemblyAI's retired /v2/realtime/ws, when asked for
  - `deepgram`         Deepgram /v1/listen; `deepgram_settings` its parameters, `deepgram_results` its long messages,
                       `deepgram_door` what it shares with /v2/listen: keys, statuses, headers
  - `deepgram_flux`    Deepgram /v2/listen; `deepgram_flux_settings` its parameters
- `account`        how much audio was received and when it would have been processed; `duequeue` where it waits
- `faults`         the fault table; `schedule` when each one strikes; `strikes` what it does; `garbage` what it sends
- `engine`         the words between a session and an engine; `engines` which engine serves
- `oracle`         synthetic audio that names its own position; `plans` what is a word in it; `decoder` its reading;
                   `oracle_engine` the recogniser made of it
- `script`         words at given times
- `recogniser`     pocketsphinx in a process of its own, `recogniser_child`; `endpointing` where speech begins and ends
- `turns`          words to turns; `realism` the untidiness of real providers
- `log`            what the server saw, said and did: the truth that a client's transcript is held against

A further dialect is one more file and its row in `tongues.TONGUES`.
"""
