"""Finds the calls of tools that a model has written as text, in the form that its chat template taught it, where the
server passes them on as they are. No I/O in here.

    {"name": "weather", "arguments": {"city": "Oslo"}}      Hermes, Qwen, Mistral, Phi, Granite, xLAM, Command-R
    <function=weather>{"city": "Oslo"}</function>           Llama 3
    <function=weather><parameter=city>Oslo</parameter>      Qwen Coder, Seed; <invoke name="weather"> Claude, MiniMax
    weather<sep>{"city": "Oslo"}                            DeepSeek, Kimi, gpt-oss, Mistral, Functionary
    weather<arg_key>city</arg_key><arg_value>Oslo           GLM
    weather(city="Oslo")                                    Llama 3 and 4, Gemma, LFM
    call:weather{city:<escape>Oslo<escape>}                 FunctionGemma
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from voiceflow.processors.llm.messages import ToolCall, new_id

Tools: TypeAlias = Mapping[str, Sequence[str]]
"""The names of the tools, and of their parameters in order."""
Found: TypeAlias = tuple[str, Any]
"""The name of a tool, and its arguments: a dictionary, or text that could not be read."""

NAMES = ("name", "tool_name", "function_name", "recipient_name", "function", "tool", "action")
ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "kwargs", "params")
LISTS = ("tool_calls", "function_calls", "tool_uses", "calls", "tool_call", "function_call")

_LEADING = re.compile(r"^(?:\s*<[|｜][^<>]*[|｜]>)+\s*")
_NO_PYTHON = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)
"""What reading text as Python raises if it is none."""
_STRING = r'"(?:\\.|[^"\\])*"|' + r"'(?:\\.|[^'\\])*'"
_BRACKET = re.compile(rf"{_STRING}|[{{}}\[\]()\"']", re.DOTALL)
_OPENS = re.compile(r"[{\[]")
_NAME = r"[A-Za-z_][\w.-]*"
_XML = re.compile(
    rf"<[^<>]*?(?:function|invoke)(?:=|\s+name\s*=\s*)[\"']?({_NAME})[\"']?\s*>(.*?)(?:</[^<>]*(?:function|invoke)>|\Z)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    rf"<[^<>]*?parameter(?:=|\s+name\s*=\s*)[\"']?({_NAME})[\"']?[^<>]*>(.*?)</[^<>]*parameter>", re.DOTALL
)
_PAIRS = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|\Z)", re.DOTALL)
_PAIRED = re.compile(rf"\s*({_NAME})\s*(?=<arg_key>)")
_ONLY_NAMED = re.compile(rf"[\"'](?:tool_)?name[\"']\s*:\s*[\"']({_NAME})")
_GEMMA = re.compile(rf"call:({_NAME})\s*\{{(.*?)\}}", re.DOTALL)
_GEMMA_PAIR = re.compile(r'(\w+)\s*:\s*("[^"]*"|[^,{}]+)')
_BEFORE_JSON = r"(?::\d+)?(?:\s|<[^<>]*>|\[[A-Z_]+\]\w*|```(?:json)?|json\b|Action Input|[>:=|,])*(?=\{)"
_NAMED = re.compile(rf"(?<![\w\"'])(?:functions?[.:=])?({_NAME}?){_BEFORE_JSON}")


def written_calls(text: str, tools: Tools, *, sure: bool) -> list[ToolCall]:
    """The calls in `text`. `sure` says that it can be nothing but calls: then they may have unknown names."""
    found = [
        (name, given) for name, given in _found(text.strip(), tools) if name in tools or (sure and name.strip("_-."))
    ]
    if sure and not found and (named := _ONLY_NAMED.search(text)):
        found = [(named[1], text)]  # the model is told that the arguments are wrong
    return [ToolCall(new_id(), name, _as_text(given)) for name, given in found]


def calls_in_every_form(text: str, tools: Tools) -> list[ToolCall]:
    """What could be read as a call anywhere in `text`: one form hides no other."""
    forms = (_of_json, _of_xml, _of_pairs, _of_gemma, _of_names, _of_python)
    return [ToolCall(new_id(), name, _as_text(given)) for form in forms for name, given in form(text, tools)]


def end_of_value(text: str, start: int) -> int | None:
    """Where the bracket at `start` is closed: the place after it. None if it is not."""
    depth = 0
    for found in _BRACKET.finditer(text, start):
        if found[0] in "\"'":
            return None  # a string that goes on
        if found[0] in "{[(":
            depth += 1
        elif found[0] in "}])":
            depth -= 1
            if depth <= 0:
                return found.end()
    return None


def _found(text: str, tools: Tools) -> list[Found]:
    text = _LEADING.sub("", text)
    for form in (_of_json if text[:1] in ("{", "[") else _of_xml, _of_xml, _of_pairs, _of_gemma, _of_names, _of_json):
        if found := list(form(text, tools)):
            return found
    return list(_of_python(text, tools))


def _as_text(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given, default=str, skipkeys=True)


# The forms


def _of_json(text: str, tools: Tools) -> Iterator[Found]:
    for value in _values(text):
        yield from _of_value(value, tools)


def _of_value(value: Any, tools: Tools) -> Iterator[Found]:
    if isinstance(value, list):
        for item in value:
            yield from _of_value(item, tools)
    if not isinstance(value, dict):
        return
    for key in (*LISTS, "function"):
        if isinstance(value.get(key), (list, dict)):
            yield from _of_value(value[key], tools)
            return
    name = next((value[key] for key in NAMES if isinstance(value.get(key), str)), None)
    given = next((value[key] for key in ARGUMENTS if key in value), None)
    if name is not None and (name in tools or isinstance(given, dict)):
        yield _bare(name), {} if given is None else given
    elif len(value) == 1 and (key := next(iter(value))) in tools and isinstance(value[key], dict):
        yield key, value[key]


def _of_xml(text: str, tools: Tools) -> Iterator[Found]:
    for name, body in _XML.findall(text):
        given: Any = {key: _plain(value) for key, value in _PARAMETER.findall(body)}
        if not given:
            given = next(_values(body), body.strip() or {})
        yield _bare(name), given


def _of_pairs(text: str, tools: Tools) -> Iterator[Found]:
    if named := _PAIRED.match(text):
        yield named[1], {key.strip(): _plain(value) for key, value in _PAIRS.findall(text)}


def _of_gemma(text: str, tools: Tools) -> Iterator[Found]:
    for name, body in _GEMMA.findall(re.sub(r"<escape>|<\|\"\|>", '"', text)):
        yield name, {key: _plain(value.strip('"')) for key, value in _GEMMA_PAIR.findall(body)}


def _of_names(text: str, tools: Tools) -> Iterator[Found]:
    at = 0
    while named := _NAMED.search(text, at):
        at = end_of_value(text, named.end()) or len(text)
        if named[1] not in ("", "json"):
            yield _bare(named[1]), next(_values(text[named.end() : at]), text[named.end() : at])


def _of_python(text: str, tools: Tools) -> Iterator[Found]:
    at = 0
    for found in re.finditer(rf"(?<![\w.])({_NAME})\(", text):
        name = found[1].removesuffix(".call").rpartition(".")[2]
        if found.start() < at or name not in tools:
            continue
        at = end_of_value(text, found.end() - 1) or len(text)
        try:
            call = ast.parse(f"f{text[found.end() - 1 : at]}", mode="eval").body
            if not isinstance(call, ast.Call):
                continue
            given = dict(zip(tools[name], map(ast.literal_eval, call.args), strict=False))
            given |= {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
        except _NO_PYTHON:
            continue
        yield name, given


# Values


def _values(text: str) -> Iterator[Any]:
    """The JSON objects and lists in `text`; also as Python writes them, and such as lack their last brackets."""
    at = 0
    while begins := _OPENS.search(text, at):
        at = end_of_value(text, begins.start()) or len(text)
        value = _read(text[begins.start() : at])
        if value is not None:
            yield value


def _read(text: str) -> Any:
    for end in ("", "}", "]", "}}", "}]", "]}", "}}]"):
        try:
            return json.loads(text + end, strict=False)
        except ValueError:
            continue
        except RecursionError:
            return None
    try:
        return ast.literal_eval(text)
    except _NO_PYTHON:
        return None


def _plain(value: str) -> Any:
    """The value of a parameter that is written without quotes."""
    value = value.strip("\n")
    read = _read(value) if value[:1] in ("{", "[") else None
    return value if read is None else read


def _bare(name: str) -> str:
    return re.sub(r"^(?:functions?|tools?|default_api)[.:]", "", name)
