"""What was asked: echoed with every answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the register shows it, the agreement that it was asked under, and the purpose."""

    text: str
    agreement: str
    agreement_version: int
    title: str
    purpose: str
    purpose_text: str
    dataset: str
    edition: str
