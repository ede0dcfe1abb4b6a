"""The store: connections, inbox, links, and the vault that encrypts what must stay secret. State lives here only."""
