"""The telephone at the other end of a carrier's media stream: one simulated call, or some hundreds at once.

player.py is the carrier's playout buffer, caller.py one call and a load of them, line.py their WebSocket, script.py
what a caller does, measure.py what is counted, record.py what was heard, report.py what is printed.

speech.wav, 3.4 s, was spoken by espeak-ng and finished by sox:

    espeak-ng -v en-us -s 160 -w spoken.wav "Hello. I would like to change my appointment."
    sox -D spoken.wav -r 16000 -b 16 -c 1 speech.wav norm -3 pad 0.1 0.1
"""
