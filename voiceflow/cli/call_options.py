"""The options of `voiceflow call`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from voiceflow.audio import AudioFormat

BROWSER = "webrtc"
"""The provider that stands for a browser, beside the names of carriers."""
KEYS = "[0-9*#A-DWa-dw]+"
"""The keys of a telephone, and w for a pause."""
KEYS_EXPECTED = "the keys of a telephone are 0-9, *, #, A-D; w is a pause of 0.5 s"


class CallOptions(msgspec.Struct, frozen=True):
    """What was asked for on the command line. Times are in seconds but `jitter`, which is in milliseconds; `rate` is in
    Hz; `loss` and `reorder` are in percent."""

    url: str
    """Of the media stream, of a server for browsers, or of the webhook."""
    via_webhook: bool
    config: Path | None
    signing_key: Path | None
    provider: str
    codec: str
    rate: int | None
    play: tuple[Path, ...]
    script: Path | None
    record: Path | None
    mono: bool
    digits: str
    barge_in_at: float | None
    calls: int
    seconds: float | None
    loss: float
    jitter: float
    reorder: float
    vanish_after: float | None
    caller_id: str
    did: str
    token: str | None
    call_id: str | None
    as_json: bool
    log_level: str | None

    @property
    def format(self) -> AudioFormat:
        from voiceflow.audio import AudioFormat
        from voiceflow.transports.carriers import carrier_named
        from voiceflow.transports.dry_call import nominal_format

        if self.provider == BROWSER:
            return nominal_format(BROWSER)
        usual = carrier_named(self.provider).codecs[self.codec]
        return AudioFormat(usual.encoding, self.rate or usual.rate)
