"""Who is who: signing keys, signed bytes, TLS certificates, join tokens.

Two kinds of key, never mixed. Ed25519 keys sign documents and carry authority (`keys`). ECDSA P-256 keys open
TLS connections and carry none (`tls_key`, `certificates`).
"""
