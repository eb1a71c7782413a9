"""What browsers are given: the page to talk from, and the client that it and other pages are made with. No build step."""
