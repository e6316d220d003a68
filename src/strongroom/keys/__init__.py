"""What a KMS key is: records, states, usage rules, ciphertext layout. Pure."""
