"""The command line: parse, call, report. The only part that knows a terminal."""
