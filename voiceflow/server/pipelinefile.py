"""Loading the function `pipeline`, and `routes` and `authorize` beside it, from a file or a built-in pipeline by its
name."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from voiceflow.errors import VoiceflowError
from voiceflow.logs import get_logger

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from voiceflow.auth import Authorize
    from voiceflow.call import Build, Call
    from voiceflow.pipeline import Pipeline

log = get_logger("voiceflow.server")

_WRITE = "write `def pipeline(call: Call) -> Pipeline:` and return `call.source | ... | call.sink`"
_ROUTES = 'write a list of Starlette\'s routes, such as `[Route("/own", own), Mount("/app", app)]`'
_AUTHORIZE = "write `async def authorize(scope) -> AuthResult | None:` (voiceflow.auth)"


class PipelineFileError(VoiceflowError):
    """A pipeline file that is missing, cannot be imported, or makes no pipeline. Names the line, where there is one."""


class PipelineFile(NamedTuple):
    """What a file says is served."""

    build: Build
    routes: Sequence[BaseRoute]
    """Starlette's routes, to be served beside ours."""
    authorize: Authorize | None
    """Knows who may come in from a browser, besides the providers of the configuration."""


def load_pipeline(target: str) -> Build:
    """The function `pipeline` of a file: see `load_file`."""
    return load_file(target).build


def load_file(target: str) -> PipelineFile:
    """What the file `target` says, or the built-in pipeline of that name.

    Raises `PipelineFileError`. The function `build` raises it, too, for any exception in it and for a result that is
    not a `Pipeline`.
    """
    spec = _find(target)
    module = _execute(spec, target)
    function = getattr(module, "pipeline", None)
    if function is None:
        raise PipelineFileError(f"{target} has no `pipeline`: {_WRITE}")
    if not callable(function):
        raise PipelineFileError(f"`pipeline` in {target} is {_kind(function)}, not a function: {_WRITE}")

    def build(call: Call) -> Pipeline:
        from voiceflow.pipeline import Pipeline

        try:
            pipeline = function(call)
        except Exception as error:
            raise PipelineFileError(_explain(error, spec, target)) from error
        if inspect.iscoroutine(pipeline):
            pipeline.close()
            raise PipelineFileError(f"`pipeline` in {target} is asynchronous: write `def`, not `async def`")
        if not isinstance(pipeline, Pipeline):
            raise PipelineFileError(f"pipeline(call) in {target} returns {_kind(pipeline)}, not a Pipeline: {_WRITE}")
        return pipeline

    return PipelineFile(build, _routes(module, target), _authorize(module, target))


def _routes(module: ModuleType, target: str) -> Sequence[BaseRoute]:
    routes = getattr(module, "routes", None)
    if routes is None:
        return ()
    from starlette.routing import BaseRoute

    if not isinstance(routes, list | tuple):
        raise PipelineFileError(f"`routes` in {target} is {_kind(routes)}: {_ROUTES}")
    for route in routes:
        if not isinstance(route, BaseRoute):
            raise PipelineFileError(f"`routes` in {target} holds {_kind(route)}: {_ROUTES}")
    return routes


def _authorize(module: ModuleType, target: str) -> Authorize | None:
    function: Any = getattr(module, "authorize", None)
    if function is None:
        return None
    if not any(map(inspect.iscoroutinefunction, (function, getattr(function, "__call__", None)))):  # noqa: B004
        raise PipelineFileError(f"`authorize` in {target} is {_kind(function)}, and not asynchronous: {_AUTHORIZE}")
    provider: Authorize = function
    return provider


def built_in() -> list[str]:
    """The names of the pipelines that come with voiceflow."""
    import voiceflow.pipelines

    return sorted(module.name for module in pkgutil.iter_modules(voiceflow.pipelines.__path__))


def _find(target: str) -> ModuleSpec:
    path, names = Path(target), built_in()
    if path.is_file():
        if target in names:
            log.warning("the file %s is run, and not the built-in pipeline of that name; ./%s says so", target, target)
        name = _module_name(path)
        loader = SourceFileLoader(name, str(path.resolve()))
        return ModuleSpec(name, loader, origin=loader.path)
    spec = importlib.util.find_spec(f"voiceflow.pipelines.{target}") if target in names else None
    if spec is not None:
        return spec
    problem = f"{target} is a folder, not a Python file" if path.is_dir() else f"there is no file {target}"
    near = difflib.get_close_matches(path.stem.lower(), names)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise PipelineFileError(
        f"{problem}.{meant} Built-in pipelines: {', '.join(names)}. To start one of your own: voiceflow new FILE"
    )


def _module_name(path: Path) -> str:
    """A name for the module of a file, which no other file's has: annotations are looked up by it."""
    name = "_voiceflow_file_" + re.sub(r"\W", "_", path.stem)
    origin = str(path.resolve())
    while (other := sys.modules.get(name)) is not None and getattr(other.__spec__, "origin", None) != origin:
        name += "_"
    return name


def _execute(spec: ModuleSpec, target: str) -> ModuleType:
    """Import a module. The folder of a user's file is added to `sys.path`, as for a script."""
    folder = str(Path(str(spec.origin)).parent)
    if spec.name.startswith("_") and folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[spec.name]
        raise PipelineFileError(_explain(error, spec, target)) from error
    return module


def _explain(error: BaseException, spec: ModuleSpec, target: str) -> str:
    """A text with the innermost line of the file in the traceback of `error`, and the error."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        file = target if error.filename == spec.origin else error.filename
        return f"{file}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == spec.origin]
    place = f"{target}, line {lines[-1]}" if lines else target
    return f"{place}: {type(error).__name__}: {error}"


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"an object of type {type(value).__name__}"
