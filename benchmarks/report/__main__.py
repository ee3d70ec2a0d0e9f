"""Writes the page and the plots of the docs from the record: ``reasons.toml`` changed.

python -m benchmarks.report
"""

from benchmarks.report.publish import publish
from benchmarks.report.record import read_record

if __name__ == "__main__":
    publish(read_record())
