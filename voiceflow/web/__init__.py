"""What browsers are given: the page to talk from, and the client that it is made with. No build step."""
