"""Authentication of calls: local requests, requests with a carrier's signature, and streams with a token of ours."""
