# The end of each start script: the command, through the function's execution wrapper if it has one.
if [ -n "$AWS_LAMBDA_EXEC_WRAPPER" ]; then
    [ -f "$AWS_LAMBDA_EXEC_WRAPPER" ] || { echo "$AWS_LAMBDA_EXEC_WRAPPER: does not exist" && exit 127; }
    [ -x "$AWS_LAMBDA_EXEC_WRAPPER" ] || { echo "$AWS_LAMBDA_EXEC_WRAPPER: is not an executable" && exit 126; }
    set -- "$AWS_LAMBDA_EXEC_WRAPPER" "$@"
fi
exec "$@"
