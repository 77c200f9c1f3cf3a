"""What can stop the set-up, found before anything slow begins and told in one report.

Facts are gathered (`gather`, `network`), decided on (`problems`, without I/O) and told (`report`). All of it runs with
the standard library alone, because it runs before any package is installed.
"""
