"""What separately deployed programs must agree on: each such word is spelled here, once.

The program that deploys, the Lambda functions and the runner share only names and formats: environment variables, a
run's states and key, exit codes, metrics. This package defines them. It imports the standard library and
`overtime.errors` only. The runner's image contains the whole package, and the runner imports `runs`, `exit_codes`,
`expressions`, `task_requests` and `variables` before the handler can start. To start fast, these import only what
`json` loads anyway: no `dataclasses`, no `typing`, no `datetime`.
"""
