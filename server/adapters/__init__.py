"""What the ports stand for in production. Only `server.app` chooses among them."""
