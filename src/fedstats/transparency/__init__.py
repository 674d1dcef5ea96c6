"""The Merkle log that node and coordinator keep: entries that nobody can change, remove or reorder unseen.

`tree` is RFC 6962's tree, pure; `entry` says what a leaf is; `stored` keeps the tree's hashes in SQLite.
"""
