"""Voice inside of a FastAPI application: carriers and browsers call at /voice, the rest is the application's own.

    pip install fastapi
    uvicorn voiceflow.pipelines.embed_fastapi:api          # uvicorn's own limits
    python -m voiceflow.pipelines.embed_fastapi            # with those of voiceflow run

The page at /voice/ opens by the link that is logged at start. docs/embedding.md tells the rest.
"""

import uvicorn
from fastapi import FastAPI

from voiceflow import Call, Pipeline
from voiceflow.server import app, uvicorn_settings


def pipeline(call: Call) -> Pipeline:
    return call.source | call.sink


voice = app(pipeline, prefix="/voice")
api = FastAPI(title="An application with a voice", lifespan=voice.lifespan)
api.mount("/voice", voice)


@api.get("/")
async def home() -> dict[str, str]:
    return {"talk to it": "/voice/"}


if __name__ == "__main__":
    uvicorn.run("voiceflow.pipelines.embed_fastapi:api", **uvicorn_settings())
