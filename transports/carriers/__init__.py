"""Phone carriers: everything specific to one carrier is in the folder of its name, behind one `Carrier` object.

    carrier.py    the interface of a carrier to the rest of voiceflow
    double.py     the carrier's end of webhooks and of its REST interface, for simulated calls
    discovery.py  finds the carriers: in this folder, in installed packages
    ids.py        the shapes of ids
    xml.py        the base of carriers that are answered in TwiML or the like

To add one here, add a folder whose module has a `CARRIER`, and its package to pyproject.toml. Another distribution
adds one by an entry point in the group `voiceflow.carriers`, a running program by `register`.
"""

from voiceflow.transports.carriers.carrier import Carrier, CarrierSettings, IncomingCall, Webhook
from voiceflow.transports.carriers.discovery import (
    carrier_named,
    carriers,
    detect,
    names,
    recognised,
    register,
    unregister,
)
from voiceflow.transports.carriers.double import AnnouncedCall, CarrierDouble, SentWebhook, StreamEvent

__all__ = [
    "AnnouncedCall",
    "Carrier",
    "CarrierDouble",
    "CarrierSettings",
    "IncomingCall",
    "SentWebhook",
    "StreamEvent",
    "Webhook",
    "carrier_named",
    "carriers",
    "detect",
    "names",
    "recognised",
    "register",
    "unregister",
]
