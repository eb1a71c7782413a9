"""Simulates callers, over a carrier's media stream or from a browser: one call, or some hundreds at once.

load.py makes many calls at once: caller.py those of a carrier, over the WebSocket of line.py, and browser.py those of a
browser, over signaling.py and peer.py. player.py is the playout buffer, script.py what a caller does, cues.py what they
do at moments to which the call leads, packetloss.py a bad network, ticker.py the timer of all calls, measure.py what is
counted, record.py what was heard, turns.py who spoke when, report.py results.

speech.wav, 3.4 s, was spoken by espeak-ng and finished by sox:

    espeak-ng -v en-us -s 160 -w spoken.wav "Hello. I would like to change my appointment."
    sox -D spoken.wav -r 16000 -b 16 -c 1 speech.wav norm -3 pad 0.1 0.1
"""
