// A page that is pipecat's client, and notes what it is told.

import { PipecatClient, RTVIEvent } from "@pipecat-ai/client-js";
import { SmallWebRTCTransport } from "@pipecat-ai/small-webrtc-transport";

/** The microphone. The client's own manager of devices loads its code from the web. */
class Microphone {
  supportsScreenShare = false;
  isMicEnabled = true;
  isCamEnabled = false;
  isSharingScreen = false;
  selectedMic = {};
  setClientOptions() {}
  async initialize() {}
  async connect() {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  }
  async disconnect() {
    for (const track of this.stream.getTracks()) track.stop();
  }
  enableMic(enable) {
    this.isMicEnabled = enable;
    for (const track of this.stream.getTracks()) track.enabled = enable;
  }
  tracks() {
    return { local: { audio: this.stream.getAudioTracks()[0] } };
  }
}

const transport = new SmallWebRTCTransport({ mediaManager: new Microphone() });
const client = new PipecatClient({ transport, enableMic: true, enableCam: false });
window.transport = transport;
window.client = client;
window.events = [];
for (const event of Object.values(RTVIEvent)) {
  client.on(event, (data) => window.events.push([event, JSON.parse(JSON.stringify(data ?? null))]));
}
window.call = (endpoint) => client.connect({ webrtcRequestParams: { endpoint } });
// The number of packets of audio that have come, over the connection of now.
window.heard = async () => {
  let packets = 0;
  for (const report of (await transport.pc.getStats()).values()) {
    if (report.type === "inbound-rtp" && report.kind === "audio") packets += report.packetsReceived;
  }
  return packets;
};
