"""The server: media streams, carriers' webhooks and health on one port, as an ASGI application."""
