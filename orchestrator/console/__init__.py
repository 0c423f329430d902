"""What operators see: a live page, metrics of the whole deployment, an API of their own. A process of its own."""
