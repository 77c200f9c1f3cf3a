"""What separately deployed programs must agree on: each such word is spelled here, once.

The program that deploys, the Lambda functions and the runner share names, formats and limits: environment variables, a
run's states and key, the requests of its task, exit codes, metrics. This package defines them. It imports the standard
library and `overtime.errors` only.

The runner's image contains the whole package, so a change here builds another image. What the runner imports of it is
loaded before the handler can start, so it imports only what `json` loads anyway: no `dataclasses`, no `typing`, no
`datetime`. A test holds that.
"""
