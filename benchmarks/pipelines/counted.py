"""The echo of eight_stages.py, which also prints how many tasks the process has when a key is pressed."""

import asyncio

from eight_stages import Pass

from voiceflow import DTMF, Call, Pipeline, Processor


class CountTasks(Processor):
    def process(self, frame: DTMF) -> None:
        print(len(asyncio.all_tasks()), flush=True)


def pipeline(call: Call) -> Pipeline:
    return Pipeline(call.source, CountTasks(), *(Pass() for _ in range(8)), call.sink)
