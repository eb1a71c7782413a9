"""A tunnel of cloudflared's: an address on the internet for a server on this machine (`voiceflow run --tunnel`)."""
