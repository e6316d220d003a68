"""What runs inside the sandbox, beside the function. Nothing but the standard library: it is started without
the server's packages, and has nothing of the server's memory."""
