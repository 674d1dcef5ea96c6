"""What a guarantee report says of how fedstats works: the same for every answer of one version.

Each sentence is about something that this software does or does not do. What is tested is said with the file
that tests it.
"""

from __future__ import annotations

DEFINITION = {
    "name": "zero-concentrated differential privacy (rho), shown as (epsilon, delta)",
    "formal": "For neighbouring databases D and D' and every set S of answers: P[M(D) in S] <= e^epsilon "
    "P[M(D') in S] + delta.",
    "source": "Bun and Steinke 2016; conversion: Canonne, Kamath and Steinke 2020, section 2.3",
}
PURE_DEFINITION = {
    "name": "pure differential privacy (epsilon)",
    "formal": "For neighbouring databases D and D' and every set S of answers: P[M(D) in S] <= e^epsilon "
    "P[M(D') in S] + delta, where delta is 0 unless a key without a public list was asked for.",
    "source": "Dwork, McSherry, Nissim and Smith 2006",
}

LAWS = {
    "gaussian": "discrete Gaussian on the integers, P(k) proportional to exp(-k^2 / (2 scale^2))",
    "laplace": "discrete Laplace on the integers, P(k) proportional to exp(-|k| / scale)",
}

PUBLIC_INFORMATION = (
    (
        "The agreement: bounds, steps, categories and dates of columns, rows_max, people_max, "
        "max_departments, the rough public size, and the schedule of editions."
    ),
    "The question: its keys, filter, limits, loss and participants.",
    "Which departments hold which edition, and which of them answered.",
)

RANDOMNESS = (
    "Vectors of fewer than 200 cells: OpenDP's exact integer samplers, fed by the operating system.",
    (
        "Longer vectors: exact inversion and rejection on integers, fed by the ChaCha20 key stream of a key "
        "that is taken from the operating system for each vector. No probability is rounded."
    ),
    "That the operating system's random bits and ChaCha20's are as good as random ones is assumed.",
)

NUMBERS = (
    (
        "Between the data and the release every number is an integer: values are codes on declared grids, "
        "sums are exact 64-bit integers, and noise is a whole number. There are no floating-point numbers "
        "whose low-order bits could tell something."
    ),
    "A question whose sums and noise might not fit 64 bits is refused before anything is charged.",
    "Noise scales are rounded up. Losses are exact fractions.",
)

SIDE_CHANNELS = (
    {
        "channel": "the time that an answer takes",
        "done": "Replies leave on a grid of time that follows from public facts.",
        "left": "In which period the work ended, and that other questions slowed it down. A department can "
        "turn the grid off (reply_deadline_s = 0), which nobody else sees.",
    },
    {
        "channel": "refusals and errors",
        "done": "Before the charge only public facts and the ledger decide; after it there is one shape of "
        "answer or one fixed code.",
        "left": "That budget or pace does not allow a question, which follows from earlier charges.",
    },
    {
        "channel": "the size of an answer",
        "done": "There is a number for every public cell, also for empty ones.",
        "left": "Of a key without a public list, the values that passed the threshold, which is charged for.",
    },
    {
        "channel": "asking again",
        "done": "The same computation has one recorded answer, whoever asks and however it is written.",
        "left": "Nothing.",
    },
    {
        "channel": "logs, metrics and backups of a node",
        "done": "Log lines cannot hold rows, literals, sums or persons; restored ledgers are recognised.",
        "left": "Whoever administers a node's computer can see its data.",
    },
    {
        "channel": "the node's hardware and other programs on it",
        "done": "Nothing.",
        "left": "Caches, memory and power consumption may be observed by whoever shares the computer.",
    },
)

TESTS = (
    ("samplers follow their laws, and audits find no loss above the claim", "statistical/test_mechanisms.py"),
    ("the noise used covers the loss charged, also by OpenDP's map", "conformance/test_mechanisms.py"),
    ("adding a person moves no sum by more than its sensitivity", "property/test_engine_sensitivity.py"),
    ("conversions between rho and (epsilon, delta)", "property/test_accounting.py"),
    ("a value that one person alone has is rarely named", "statistical/test_open_keys.py"),
    ("budgets are never exceeded, whatever crashes", "property/test_ledger_machine.py"),
    ("repeated questions get the recorded answer", "simulation/test_repeats.py"),
    ("the figures of this report, recomputed with OpenDP", "conformance/test_guarantee.py"),
)
"""What is promised, and the file below tests/ that holds it."""

UNPROTECTED = (
    "Which departments took part, which refused and with which code, and which did not answer.",
    (
        "The names of editions. A revision such as 2025-09.2 tells that data were repaired, or that the list "
        "of opt-outs changed; an edition that answers nothing new any more tells the same."
    ),
    "In which period of the grid of time each department replied.",
    "The declared sizes: about how many people there are, and at most how many at one department.",
    "The question itself, its literals and limits, who asked it, when, and for which purpose.",
    (
        "How much of its budgets each department has used, how many links its ledger and how many "
        "entries its log has, and, where an agreement sets a pace, from which minute a question fits."
    ),
    (
        "That a question waits for a person at a department, since when, and what was decided; that it "
        "pauses or leaves an agreement; for all of these the category of the reason."
    ),
    "That a department holds the dataset at all, and which version of the software its node is.",
)

LEARNS_LOCAL = {
    "analyst": "Each department's noisy numbers, their sum, refusals, and roughly what is left of the "
    "budget.",
    "coordinator": "The same as it relays them, when they came, which editions each department holds, and "
    "what each ledger has spent.",
    "departments": "The question, who takes part, and whatever the register shows. No numbers of each other.",
    "public": "What the register shows: who asked what, for which purpose, at what loss, and who answered; "
    "and the results that analysts publish there.",
}
