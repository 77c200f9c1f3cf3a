"""What separately deployed programs must agree on: each such word is spelled here, once.

The program that deploys, the Lambda functions and the runner meet only through names and formats: environment
variables, a run's states and key, exit codes, metrics. This package defines them. It imports the standard library and
`overtime.errors` only. The runner's image contains the whole package, and the runner imports `runs`, `exit_codes`,
`expressions`, `task_requests` and `variables` before the handler can start, so those stay on what `json` has loaded
anyway: no `dataclasses`, no `typing`, no `datetime`.
"""
