"""The keys `language` and `words` of the configuration and of routes: what is said and sent by ourselves."""

from __future__ import annotations

import re

import msgspec

from voiceflow.route import Route
from voiceflow.session.language import AUTO, ours
from voiceflow.words import CATALOGUE, Words, code_of

from .unknown_keys import nearest
from .yamlfile import Value

_CODE = re.compile(r"[a-z]{2,3}((-[a-z0-9]{2,8})*|_[a-z]{2})", re.IGNORECASE)


def read_language(value: Value) -> str:
    """A language's code, or `auto`; "" if it is blank. Raises `ConfigError` for what is neither."""
    text = value.text().strip()
    if text and text.lower() != AUTO and not _CODE.fullmatch(text):
        raise value.error(f"language is {text!r}: expected a code such as {', '.join(CATALOGUE)}, or {AUTO}")
    return code_of(text)


def read_words(value: Value, mistakes: dict[str, None]) -> dict[str, dict[str, str]]:
    """Sentences by language and name; those that stand under no language are for all, "". Adds to `mistakes`."""
    found: dict[str, dict[str, str]] = {}
    for key, entry in value.entries():
        name = key.text().strip()
        if name in Words.__struct_fields__:
            if text := entry.text().strip():
                found.setdefault("", {})[name] = text
        elif _CODE.fullmatch(name):
            within = read_words(entry, mistakes) if not entry.missing else {}
            found.setdefault(code_of(name), {}).update(within.get("", {}))
        else:
            near = nearest(name, Words.__struct_fields__)
            known = f"did you mean {near}?" if near else f"known here: {', '.join(Words.__struct_fields__)}"
            mistakes[f"{key.place}: words.{name} is unknown and ignored, {known}"] = None
    return found


def joined(below: dict[str, dict[str, str]], above: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The sentences of both, with those of `above` in place of those that `below` has for the same language. What
    `above` has for all languages replaces what `below` has for single ones."""
    everywhere = above.get("", {})
    kept = {code: {name: text for name, text in said.items() if name not in everywhere} for code, said in below.items()}
    return {code: {**kept.get(code, {}), **above.get(code, {})} for code in {**kept, **above}}


def in_its_language(route: Route) -> Route:
    """A route that has no system prompt of its own, with ours in its language."""
    return msgspec.structs.replace(route, system_prompt=ours(route)[1].system_prompt)
