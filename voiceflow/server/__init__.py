"""The server: carriers' webhooks and media streams, browsers' calls and a health check on one port, as an ASGI
application."""
