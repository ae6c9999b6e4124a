"""Heap dumps in the HPROF format: records, class histogram, redaction; memory does not grow with the dump.

Three ways in: `read_dump` gives every record (records.py is the model), `histogram_of_file` the classes, and `Redactor`
takes values out. Under the last two is a Scan (scan.py), in pure Python or compiled, that goes over the objects.
"""

from __future__ import annotations

from jvmdiag.hprof.histogram import ClassCount, histogram, histogram_of_file
from jvmdiag.hprof.reader import CONTENT_LIMIT_BYTES, read_dump, read_records
from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Redaction, Rules

__all__ = [
    "CONTENT_LIMIT_BYTES",
    "ClassCount",
    "Redaction",
    "Redactor",
    "Rules",
    "histogram",
    "histogram_of_file",
    "read_dump",
    "read_records",
]
