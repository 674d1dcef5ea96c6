"""Statistics of a researcher: one Python file each, run in a process of their own with a time limit.

The file is never imported here. A child process loads it, describes it, and answers calls over a pipe; what
it answers is decoded strictly. That keeps mistakes of a file away from keys, jobs and the terminal. It is no
sandbox: the file runs as whoever runs it, and can do what she can.
"""
