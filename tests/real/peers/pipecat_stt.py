"""A peer: Pipecat's speech-to-text services in a pipeline of their own, used as they are documented."""

import asyncio
import logging
from typing import Any

from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import WorkerRunner
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.assemblyai.stt import AssemblyAISTTService
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
from pipecat.services.deepgram.stt import DeepgramSTTService
from plan import Plan, play_async, told


class Listener(FrameProcessor):
    """Tell the frames that come by."""

    def __init__(self, plan: Plan, over: asyncio.Event) -> None:
        super().__init__()
        self._plan = plan
        self._over = over

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Tell a frame, and pass it on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame | InterimTranscriptionFrame):
            self._plan.tell(type(frame).__name__, frame.text, finalized=getattr(frame, "finalized", False))
        elif isinstance(frame, ErrorFrame):
            self._plan.tell("ERROR", frame.error, code=None)
            self._over.set()
        await self.push_frame(frame, direction)


def service_of(plan: Plan) -> FrameProcessor:
    """Return the service, pointed at the server of the plan."""
    kind = plan.options["provider"]
    if kind == "assemblyai":
        settings = AssemblyAISTTService.Settings(**plan.parameters)
        return AssemblyAISTTService(
            api_key=plan.key,
            api_endpoint_base_url=plan.url + "/v3/ws",
            vad_force_turn_endpoint=plan.options.get("force", False),
            settings=settings,
        )
    if kind == "deepgram":
        settings = DeepgramSTTService.Settings(**plan.parameters)
        return DeepgramSTTService(api_key=plan.key, base_url=plan.url, settings=settings)
    settings = DeepgramFluxSTTService.Settings(**plan.parameters)
    return DeepgramFluxSTTService(api_key=plan.key, url=plan.url + "/v2/listen", settings=settings)


async def transcribe(plan: Plan) -> None:
    """Play a plan in a pipeline, and tell every transcript."""
    over = asyncio.Event()
    pipeline = Pipeline([Listener(plan, over), service_of(plan), Listener(plan, over)])
    worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=plan.rate), cancel_on_idle_timeout=False, enable_rtvi=False
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def begin(_worker: PipelineWorker, _frame: Frame) -> None:
        started.set()

    async def send(pcm: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=pcm, sample_rate=plan.rate, num_channels=1))

    async def call(name: str, given: dict[str, Any]) -> None:
        raise NotImplementedError(name)

    async def drive() -> None:
        await started.wait()
        await play_async(plan, send, call, over)
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), drive())


async def main() -> None:
    """Play all plans."""
    logging.basicConfig(level=logging.WARNING)
    for plan in told():
        await transcribe(plan)


if __name__ == "__main__":
    asyncio.run(main())
