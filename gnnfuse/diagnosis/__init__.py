"""The diagnosis of a machine: what is installed, what works, how fast it is, and remedies for the rest."""

from gnnfuse.diagnosis.doctor import doctor
from gnnfuse.diagnosis.report import Diagnosis, Finding, Section

__all__ = ["Diagnosis", "Finding", "Section", "doctor"]
