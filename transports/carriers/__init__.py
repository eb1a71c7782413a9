"""Phone carriers: all that is one carrier's is in the folder of its name, behind one `Carrier` object.

    carrier.py    what the rest of voiceflow asks a carrier
    registry.py   which carriers there are

To add one here, add a folder whose module has a `CARRIER`, and its package to pyproject.toml. Another distribution
adds one by an entry point in the group `voiceflow.carriers`, a running program by `register`.
"""

from voiceflow.transports.carriers.carrier import Carrier, CarrierSettings, IncomingCall, Webhook
from voiceflow.transports.carriers.registry import carrier_named, carriers, detect, names, register, unregister

__all__ = [
    "Carrier",
    "CarrierSettings",
    "IncomingCall",
    "Webhook",
    "carrier_named",
    "carriers",
    "detect",
    "names",
    "register",
    "unregister",
]
