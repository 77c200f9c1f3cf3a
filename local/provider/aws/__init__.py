"""A light `pulumi-resource-aws`: the resource types that the program uses, on AWS's own API through boto3.

The engine's calls arrive in `server`, which knows no resource type. What a type's properties mean is told by the tables
in `resources/`, one file a service; `checking`, `diffs` and `states` read these tables and touch nothing; the functions
named in them are the only code that calls AWS.
"""
