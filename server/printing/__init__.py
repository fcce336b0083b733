"""Printed papers of a draw: what they say (`documents`), in which words (`texts`), and how they become PDF/A (`typeset`)."""
