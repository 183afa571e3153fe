"""What the pure decisions cost, as a share of real time: the parts that run for every chunk of audio."""

import time
from collections.abc import Callable

from stenod.core.chunking import ChunkRule, next_chunk
from stenod.core.level import LevelMeter
from stenod.core.pacing import RateRule
from stenod.core.sentmap import SentMap
from stenod.core.timeline import State, Timeline

RATE, CHUNK, ROUNDS = 16_000, 1_600, 5_000


def timed(work: Callable[[int], object]) -> float:
    """Return microseconds a round."""
    begun = time.perf_counter()
    for index in range(ROUNDS):
        work(index)
    return (time.perf_counter() - begun) / ROUNDS * 1e6


def main() -> None:
    """Print the table."""
    rule = ChunkRule.of(rate=RATE, seconds_min=0.05, seconds_wanted=0.1, seconds_max=1.0)
    pace, sent, meter, timeline = RateRule(1.25), SentMap(RATE, 0), LevelMeter(RATE), Timeline()
    audio = bytes(range(256)) * (CHUNK * 2 // 256)

    def settle(index: int) -> None:
        timeline.extend(CHUNK)
        timeline.settle(index * CHUNK, index * CHUNK + CHUNK, State.TRANSCRIBED)

    rows = {
        "slice a chunk": timed(lambda _: next_chunk(CHUNK, last=False, rule=rule)),
        "rate rule": timed(lambda index: (pace.allowed_at(index * 0.1, 0.1), pace.sent(index * 0.1, 0.1))),
        "sent map": timed(lambda index: (sent.add(index * CHUNK, CHUNK), sent.position(index * 0.1))),
        "level meter": timed(lambda _: meter.add(audio)),
        "settle a span": timed(settle),
    }
    print(f"{'':16}{'us / chunk':>12}{'% of real time':>16}")
    for name, microseconds in {**rows, "all": sum(rows.values())}.items():
        print(f"{name:16}{microseconds:>12.1f}{microseconds / 1e5 * 100:>16.3f}")


if __name__ == "__main__":
    main()
