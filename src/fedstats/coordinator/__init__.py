"""The coordinator: relays signed questions, combines answers, keeps the public register."""
