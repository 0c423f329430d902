"""Shows operators a live page, metrics of the whole deployment, and an API of their own. A process of its own."""
