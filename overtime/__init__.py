"""Lambda functions that finish, however long they take."""
