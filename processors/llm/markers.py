"""The markers that models write between their words, by the chat templates that taught them. Servers keep most of them
to themselves, but not all of them, and not always."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 120
"""Characters that a marker has at most."""

_NAMED: Final = "think|thinking|thoughts?|reasoning|reflection|scratch_?pad|inner_monologue|analysis|seed:think"
_ANY_CASE: Final = re.IGNORECASE

THOUGHT: Final = re.compile(
    rf"<\s*(?:{_NAMED})\s*>|\[THINK\]|<\|START_THINKING\|>|<\|begin_of_thought\|>|◁think▷", _ANY_CASE
)
"""What begins a thought."""
THOUGHT_ENDS: Final = re.compile(
    rf"<\s*/\s*(?:{_NAMED})\s*>|\[/THINK\]|<\|END_THINKING\|>|<\|end_of_thought\|>|◁/think▷|<channel\|>", _ANY_CASE
)
"""What ends a thought. It may come alone: the beginning was in the prompt."""

CALLS: Final = tuple(
    (re.compile(begin, _ANY_CASE), re.compile(end, _ANY_CASE))
    for begin, end in (
        (r"<(?:\w+:)?tool_?calls?>", r"</(?:\w+:)?tool_?calls?>"),
        (r"<\|tool_calls?\|?>", r"<\|/tool_calls?\|>|<tool_calls?\|>"),
        (r"<function_calls?>", r"</function_calls?>"),
        (r"<function=[^<>]+>", r"</function>"),
        (r"<invoke\s[^<>]+>", r"</invoke>"),
        (r"<\|tool_calls_section_begin\|>", r"<\|tool_calls_section_end\|>"),
        (r"<\|tool_call_(?:begin|start)\|>", r"<\|tool_call_end\|>"),
        (r"<｜tool▁calls▁begin｜>", r"<｜tool▁calls▁end｜>"),
        (r"<｜tool▁call▁begin｜>", r"<｜tool▁call▁end｜>"),
        (r"<｜DSML｜function_calls>", r"</｜DSML｜function_calls>"),
        (r"<\|python_(?:tag|start)\|>", r"<\|python_end\|>"),
        (r"<\|START_ACTION\|>", r"<\|END_ACTION\|>"),
        (r"<\|action_start\|>", r"<\|action_end\|>"),
        (r"<start_function_call>", r"<end_function_call>"),
        (r"<tool_(?:code|use)>", r"</tool_(?:code|use)>"),
        (r"\[TOOL_CALLS\]", r"\[/TOOL_CALLS\]"),
        (r"<\|recipient\|>", r"<\|from\|>"),
    )
)
"""What begins a call of a tool, and what ends it. The end may lack."""

RESULT: Final = re.compile(
    r"<\|?tool_(?:response|result|output)s?\|?>|<｜tool▁outputs▁begin｜>|\[TOOL_RESULTS\]|<\|START_TOOL_RESULT\|>"
    r"|<tools>|\[AVAILABLE_TOOLS\]|<function_results?>",
    _ANY_CASE,
)
"""What begins a result that the model makes up, or a list of tools that it repeats."""
RESULT_ENDS: Final = re.compile(
    r"</?\|?/?tool_(?:response|result|output)s?\|?>|<｜tool▁outputs▁end｜>|\[/TOOL_RESULTS\]|<\|END_TOOL_RESULT\|>"
    r"|</tools>|\[/AVAILABLE_TOOLS\]|</function_results?>",
    _ANY_CASE,
)

TURN_ENDS: Final = re.compile(
    r"<\|(?:im_end|eot_id|eot|eom_id|end|end_of_text|endoftext|end_of_turn|endofturn|end_of_role|return|eos|call"
    r"|END_OF_TURN_TOKEN|END_RESPONSE|END_TEXT)\|>|</s>|<eos>|<end_of_(?:turn|utterance)>|<turn\|>|<｜end▁of▁sentence｜>"
    r"|\[(?:EOS|/INST)\]",
    _ANY_CASE,
)
"""What ends the turn. Where another marker or a line follows, that is no part of the answer any more."""
ROLE: Final = re.compile(
    r"<\|(?:im_start|start_header_id|start_of_role|start|turn|from|START_OF_TURN_TOKEN)\|?>|<start_of_turn>|\[INST\]"
    r"|<\|(?P<role>user|assistant|system|tool|observation|human|bot|USER_TOKEN|CHATBOT_TOKEN|SYSTEM_TOKEN)\|>"
    r"|<｜(?P<wide>User|Assistant)｜>",
    _ANY_CASE,
)
"""What begins a turn; the name of its role follows, or is part of it."""
OWN_ROLES: Final = ("assistant", "model", "bot", "gpt", "ai", "chatbot", "chatbot_token", "")

MARKER: Final = re.compile(
    r"<[|｜][^<>|｜\s]{1,60}[|｜]>|<\|[a-z_]{1,30}>|<[a-z_]{1,30}\|>|</?s>|</?(?:bos|eos|pad|unk|mask)>"
    r"|<(?:start|end)_of_\w{1,20}>|<(?:extra_id_|unused|reserved_\w*?)\d+>|<0x[0-9A-F]{2}>"
    r"|\[/?(?:INST|SYS|BOS|EOS|PAD|UNK|SEP|CLS|MASK|ARGS|CALL_ID|IMG|SYSTEM_PROMPT|TOOL_CALLS|THINK)\]"
    r"|</?(?:\w+:)?tool_?calls?>|</?function_calls?>|</(?:function|invoke|parameter)>|<end_function_call>"
    r"|<｜[^<>]{1,40}>|</?(?:answer|response|final_answer|output)>",
    _ANY_CASE,
)
"""Any other marker, and ends of what has ended already: of these only the marker itself goes."""

NEXT_MESSAGE: Final = re.compile(r"(?=<\|(?:end|start|channel|return)\|>)")
"""Where a thought ends that is a message of its own."""

BRACKETED: Final = re.compile(
    r"<[^\s<>]{1,100}>|<\s*/?\s*[A-Za-z_:]{1,20}\s*>|<invoke\s[^<>\n]{1,100}>|\[/?[A-Za-z_]{1,24}\]|◁/?think▷"
)
"""What may be a marker, as a whole."""
BEGUN: Final = re.compile(
    r"(?:<(?:[^\s<>]{0,100}|\s*/?\s*[A-Za-z_:]{0,20}\s*|invoke\s[^<>\n]{0,100})|\[/?[A-Za-z_]{0,24}|◁/?t?h?i?n?k?)\Z"
)
"""The end of what came so far that may become one."""

_TEMPLATES: Final = re.compile(
    r"<(?=[|｜])|<(?=/?(?:start_of_turn|end_of_turn|eos|bos|s|tool_[a-z]+|(?:\w+:)?tool_?calls?|function\w*|invoke)\b)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_[A-Z]+|AVAILABLE_TOOLS)\])|<(?=<SYS>>|</SYS>>)",
    _ANY_CASE,
)


def inert(text: str) -> str:
    """`text` whose markers mean nothing to a chat template or its tokenizer: with a space after what would begin one.
    What a tool says must not end its own turn, nor begin another or a call."""
    return _TEMPLATES.sub(lambda match: f"{match[0]} ", text)
