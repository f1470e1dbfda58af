"""Lines of tables, as CSV."""

import csv
import io


def in_csv(*values):
    """A line of a table."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
