"""What is installed here, what works, how fast, and what to do about the rest."""

from gnnfuse.diagnosis.doctor import doctor
from gnnfuse.diagnosis.report import Diagnosis, Finding, Section

__all__ = ["Diagnosis", "Finding", "Section", "doctor"]
